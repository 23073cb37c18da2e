"""Distances between two sets of features. NumPy only, float64, no regularisation.

Frechet distance between Gaussians (Dowson & Landau 1982), as FID uses it (Heusel et al. 2017, eq. 6):

    d^2 = |mu_1 - mu_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^(1/2)

With S_i = L_i L_i^T the last trace is the nuclear norm of L_1^T L_2. The centred features are such factors, so no
covariance, no matrix square root and no epsilon is needed, and singular covariances (n < d) are exact.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ddpm.errors import StudyError

Array = NDArray[np.float64]


def _checked(features: ArrayLike, name: str) -> Array:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] < 2:
        raise StudyError(f"features must be [n >= 2, d], not {list(x.shape)}", where=name)
    if not np.isfinite(x).all():
        raise StudyError("features contain NaN or infinity", where=name)
    return x


def _checked_pair(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    a, b = _checked(x, "x"), _checked(y, "y")
    if a.shape[1] != b.shape[1]:
        raise StudyError(f"features of different extractors: {a.shape[1]} and {b.shape[1]} dimensions")
    return a, b


def _factor(x: Array) -> Array:
    """R with R^T R = covariance of x (n - 1 in the denominator), at most d rows."""
    centred: Array = (x - x.mean(0)) / np.sqrt(len(x) - 1)
    if len(x) <= x.shape[1]:
        return centred
    triangle: Array = np.asarray(np.linalg.qr(centred, mode="r"))
    return triangle


def frechet_distance(x: ArrayLike, y: ArrayLike) -> float:
    """Squared Frechet distance between Gaussians fitted to two sets of features; FID when these are Inception's.

    Args:
        x: float ``[n, d]``.
        y: float ``[m, d]``.

    Returns:
        The distance, >= 0 up to rounding; 0 for equal sets. Biased upward at small n (Chong & Forsyth 2020).

    Raises:
        StudyError: fewer than two rows, other shapes, NaN, or different d.
    """
    a, b = _checked_pair(x, y)
    shift = a.mean(0) - b.mean(0)
    r_a, r_b = _factor(a), _factor(b)
    nuclear = np.linalg.svd(r_a @ r_b.T, compute_uv=False).sum()
    return float(shift @ shift + (r_a**2).sum() + (r_b**2).sum() - 2 * nuclear)


def kernel_distance(x: ArrayLike, y: ArrayLike) -> float:
    """Unbiased squared MMD with the cubic kernel (x . y / d + 1)^3: KID (Binkowski et al. 2018, section 4).

    Args:
        x: float ``[n, d]``.
        y: float ``[m, d]``.

    Returns:
        The estimate from all pairs, its expectation 0 for equal distributions; it can be negative.
    """
    a, b = _checked_pair(x, y)
    n, m, d = len(a), len(b), a.shape[1]

    def kernel(u: Array, v: Array) -> Array:
        cubed: Array = (u @ v.T / d + 1.0) ** 3
        return cubed

    k_aa, k_bb = kernel(a, a), kernel(b, b)
    within_a = (k_aa.sum() - np.trace(k_aa)) / (n * (n - 1))
    within_b = (k_bb.sum() - np.trace(k_bb)) / (m * (m - 1))
    return float(within_a + within_b - 2 * kernel(a, b).mean())
