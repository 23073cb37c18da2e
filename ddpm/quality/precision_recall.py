"""Fidelity and diversity apart: precision and recall of generated features (Kynkaanniemi et al. 2019)."""

import numpy as np
from numpy.typing import ArrayLike

from ddpm.errors import StudyError
from ddpm.quality.frechet import Array, checked_pair


def _square_distances(a: Array, b: Array) -> Array:
    """All squared Euclidean distances ``[n, m]``: one matrix product instead of n m differences."""
    squares: Array = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * (a @ b.T)
    return squares.clip(min=0)


def _radii(points: Array, neighbours: int) -> Array:
    """Squared distance of every point to its k-th nearest other one, ``[n]``."""
    squares = _square_distances(points, points)
    np.fill_diagonal(squares, 0)  # a point's distance to itself is exactly 0 and comes first
    radii: Array = np.partition(squares, neighbours, axis=1)[:, neighbours]
    return radii


def precision_recall(generated: ArrayLike, real: ArrayLike, neighbours: int = 3) -> tuple[float, float]:
    """Share of generated points within the real manifold, and of real points within the generated one.

    A manifold is the union of balls around its points, each as large as the distance to the k-th neighbour
    (Kynkaanniemi et al. 2019, eqs. 1 and 2).

    Args:
        generated: float ``[n, d]``.
        real: float ``[m, d]``.
        neighbours: k, at least 1 and below n and m.

    Returns:
        ``(precision, recall)``, each in 0..1. Both fall with fewer points of the other kind: compare at equal n and m.

    Raises:
        StudyError: as ``frechet_distance``, or too few points for k.
    """
    a, b = checked_pair(generated, real)
    if not 1 <= neighbours < min(len(a), len(b)):
        raise StudyError(f"{neighbours} neighbours need more points than {min(len(a), len(b))}", where="neighbours")
    between = _square_distances(a, b)
    precision = (between <= _radii(b, neighbours)).any(1).mean()
    recall = (_radii(a, neighbours) >= between.T).any(1).mean()
    return float(precision), float(recall)
