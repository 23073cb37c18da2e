"""Standard errors of FID and KID, and FID extrapolated to infinite n.

Never the naive bootstrap: drawing rows twice shrinks the rank of a covariance and inflates a Frechet distance.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ddpm.errors import StudyError
from ddpm.quality.frechet import Gaussian, fit_gaussian, gaussian_distance, kernel_distance


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error."""

    value: float
    error: float


def blocks(rows: int, size: int) -> list[slice]:
    """Disjoint consecutive blocks of equal size; what does not fill a block is left out."""
    return [slice(start, start + size) for start in range(0, rows - size + 1, size)]


def kernel_distance_by_blocks(x: ArrayLike, y: ArrayLike, size: int) -> Estimate:
    """KID as the mean over disjoint blocks of ``size`` rows of both sets, and its standard error.

    Args:
        x: float ``[n, d]``.
        y: float ``[m, d]``.
        size: rows of a block; there must be at least two blocks.
    """
    a, b = np.asarray(x), np.asarray(y)
    parts = blocks(min(len(a), len(b)), size)
    if len(parts) < 2:
        raise StudyError(f"{min(len(a), len(b))} rows make fewer than two blocks of {size}", where="KID by blocks")
    values = [kernel_distance(a[part], b[part]) for part in parts]
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))


def frechet_infinity(
    x: ArrayLike,
    real: Gaussian,
    order: Callable[[int], ArrayLike],
    divisions: tuple[int, ...] = (1, 2, 3, 4),
    replicates: int = 4,
    device: str = "cpu",
) -> Estimate:
    """Frechet distance extrapolated to infinitely many rows of x (Chong & Forsyth 2020, section 4).

    The bias at n rows is close to a line in 1/n. For each replicate the rows are permuted and cut into 1, 2, 3, 4
    disjoint blocks; a line in 1/size is fitted to the mean distances over the blocks of each size, and its intercept is
    the estimate. The bias of the real side's own finite number of rows stays.

    The error: every mean over blocks rests on the same n rows, so extrapolation removes bias but adds no rows. To first
    order the estimate is a mean of n independent terms, and the spread of the smallest blocks, over the root of their
    number, is its standard error.

    Args:
        x: float ``[n, d]``.
        real: fitted to the real features.
        order: ``order(k)`` is a permutation of n for replicate k, int ``[n]``: randomness stays with the caller.
        divisions: into how many blocks the rows are cut, ascending.
        replicates: how many permutations are averaged.
        device: as for ``fit_gaussian``.

    Raises:
        StudyError: the smallest blocks would have fewer than 2 rows.
    """
    a = np.asarray(x)
    if len(a) < 2 * divisions[-1]:
        raise StudyError(f"{len(a)} rows cannot be cut into {divisions[-1]} blocks", where="frechet_infinity")

    def distance(rows: ArrayLike) -> float:
        return gaussian_distance(fit_gaussian(rows, device), real)

    intercepts, errors = [], []
    for replicate in range(replicates):
        rows = a[np.asarray(order(replicate))]
        sizes = [len(rows) // parts for parts in divisions]
        values = [[distance(rows[part]) for part in blocks(len(rows), size)] for size in sizes]
        line = np.polyfit([1 / size for size in sizes], [np.mean(v) for v in values], 1)
        intercepts.append(line[1])
        errors.append(np.std(values[-1], ddof=1) / np.sqrt(len(values[-1])))
    return Estimate(float(np.mean(intercepts)), float(np.sqrt(np.mean(np.square(errors)))))
