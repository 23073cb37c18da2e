"""Fidelity and diversity apart: precision and recall of generated features (Kynkaanniemi et al. 2019)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from ddpm.errors import StudyError
from ddpm.quality import frechet


def _square_distances(a: Any, b: Any) -> Any:
    """All squared Euclidean distances ``[n, m]``: one matrix product instead of n m differences."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * (a @ b.T)
    return squares.clip(min=0)


def _kth(squares: Any, k: int) -> Any:
    """The (k + 1)-th smallest of each row."""
    if isinstance(squares, torch.Tensor):
        return squares.kthvalue(k + 1, dim=1).values
    return np.partition(squares, k, axis=1)[:, k].copy()  # a view would keep the whole block in memory


def _radii(points: Any, neighbours: int) -> Any:
    """Squared distance of every point to its k-th nearest other one, ``[n]``, by blocks of rows."""
    found, rows = [], frechet.rows_at_once(len(points))
    for start in range(0, len(points), rows):
        squares = _square_distances(points[start : start + rows], points)
        own = range(len(squares))
        squares[own, [start + i for i in own]] = 0  # a point's distance to itself is exactly 0 and comes first
        found.append(_kth(squares, neighbours))
    return torch.cat(found) if isinstance(points, torch.Tensor) else np.concatenate(found)


def _covered(points: Any, centres: Any, neighbours: int) -> float:
    """The share of points that lie in the ball of at least one centre, by blocks of rows."""
    radii, rows = _radii(centres, neighbours), frechet.rows_at_once(len(centres))
    blocks = (points[start : start + rows] for start in range(0, len(points), rows))
    count = sum(int((_square_distances(block, centres) <= radii).any(1).sum()) for block in blocks)
    return count / len(points)


def precision_recall(
    generated: ArrayLike, real: ArrayLike, neighbours: int = 3, device: str = "cpu"
) -> tuple[float, float]:
    """Share of generated points within the real manifold, and of real points within the generated one.

    A manifold is the union of balls around its points, each as large as the distance to the k-th neighbour
    (Kynkaanniemi et al. 2019, eqs. 1 and 2). float64, a block of rows at a time.

    Args:
        generated: float ``[n, d]``.
        real: float ``[m, d]``.
        neighbours: k, at least 1 and below n and m.
        device: by NumPy on a CPU, by torch on a GPU.

    Returns:
        ``(precision, recall)``, each in 0..1. Both fall with fewer points of the other kind: compare at equal n and m.

    Raises:
        StudyError: as ``frechet_distance``, or too few points for k.
    """
    a, b = frechet.checked_pair(generated, real)
    if not 1 <= neighbours < min(len(a), len(b)):
        raise StudyError(f"{neighbours} neighbours need more points than {min(len(a), len(b))}", where="neighbours")
    x, y = (frechet.on_device(points, device) for points in (a, b))
    return _covered(x, y, neighbours), _covered(y, x, neighbours)
