"""Distances between two sets of features: float64, by NumPy or by torch on a GPU, no regularisation.

Frechet distance between Gaussians (Dowson & Landau 1982), as FID uses it (Heusel et al. 2017, eq. 6):

    d^2 = |mu_1 - mu_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^(1/2)

With S_i = L_i L_i^T the last trace is the nuclear norm of L_1^T L_2. The centred features are such factors, so no
covariance, no matrix square root and no epsilon is needed, and singular covariances (n < d) are exact.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ddpm.errors import StudyError

Array = NDArray[np.float64]

_PAIRS = 5000 * 5000  # pairs of rows that are in memory at once: 200 MB in float64


def _checked(features: ArrayLike, name: str) -> Array:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] < 2:
        raise StudyError(f"features must be [n >= 2, d], not {list(x.shape)}", where=name)
    if not np.isfinite(x).all():
        raise StudyError("features contain NaN or infinity", where=name)
    return x


def checked_pair(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Two sets of features as float64 ``[n, d]`` and ``[m, d]``; StudyError when they are none, or differ in d."""
    a, b = _checked(x, "x"), _checked(y, "y")
    if a.shape[1] != b.shape[1]:
        raise StudyError(f"features of different extractors: {a.shape[1]} and {b.shape[1]} dimensions")
    return a, b


def on_device(x: Array, device: str) -> Any:
    """The array itself on a CPU, where NumPy computes, and a tensor elsewhere."""
    return x if device == "cpu" else torch.from_numpy(x).to(device)


def _factor(x: Any) -> Array:
    """R with R^T R = covariance of x (n - 1 in the denominator), at most d rows; x is an array or a tensor."""
    centred = (x - x.mean(0)) / np.sqrt(len(x) - 1)
    if len(x) > x.shape[1]:
        linalg = torch.linalg if isinstance(x, torch.Tensor) else np.linalg
        triangle = linalg.qr(centred, mode="r")
        centred = triangle.R if isinstance(x, torch.Tensor) else triangle
    return np.asarray(centred.cpu() if isinstance(x, torch.Tensor) else centred)


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian fitted to features: mean ``[d]`` and a root R ``[min(n, d), d]`` with R^T R = covariance."""

    mean: Array
    root: Array


def fit_gaussian(features: ArrayLike, device: str = "cpu") -> Gaussian:
    """Fit once what is compared often: for many rows this is the costly part of a distance.

    Args:
        features: float ``[n, d]``.
        device: by NumPy on a CPU, by torch on a GPU.

    Raises:
        StudyError: fewer than two rows, other shapes, or NaN.
    """
    x = _checked(features, "features")
    return Gaussian(x.mean(0), _factor(on_device(x, device)))


def gaussian_distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Frechet distance between two Gaussians; StudyError when they differ in d."""
    if len(a.mean) != len(b.mean):
        raise StudyError(f"features of different extractors: {len(a.mean)} and {len(b.mean)} dimensions")
    shift = a.mean - b.mean
    nuclear = np.linalg.svd(a.root @ b.root.T, compute_uv=False).sum()
    return float(shift @ shift + (a.root**2).sum() + (b.root**2).sum() - 2 * nuclear)


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
    return gaussian_distance(fit_gaussian(x), fit_gaussian(y))


def rows_at_once(columns: int) -> int:
    """How many rows of a matrix of pairs with so many columns to hold in memory at once."""
    return max(1, _PAIRS // columns)


def _kernel_sum(a: Any, b: Any, diagonal: bool = True) -> float:
    """Sum of the cubic kernel over all pairs of rows, without the pairs (i, i) unless ``diagonal``."""
    total, rows = 0.0, rows_at_once(len(b))
    for start in range(0, len(a), rows):
        kernel = (a[start : start + rows] @ b.T / a.shape[1] + 1.0) ** 3
        total += float(kernel.sum() if diagonal else kernel.sum() - kernel.diagonal(start).sum())
    return total


def kernel_distance(x: ArrayLike, y: ArrayLike, device: str = "cpu") -> float:
    """Unbiased squared MMD with the cubic kernel (x . y / d + 1)^3: KID (Binkowski et al. 2018, section 4).

    Time grows with (n + m)^2, memory with n + m: the kernel is summed a block of rows at a time.

    Args:
        x: float ``[n, d]``.
        y: float ``[m, d]``.
        device: by NumPy on a CPU, by torch on a GPU.

    Returns:
        The estimate from all pairs, its expectation 0 for equal distributions; it can be negative.
    """
    a, b = (on_device(rows, device) for rows in checked_pair(x, y))
    n, m = len(a), len(b)
    within_a = _kernel_sum(a, a, diagonal=False) / (n * (n - 1))
    within_b = _kernel_sum(b, b, diagonal=False) / (m * (m - 1))
    return within_a + within_b - 2 * (_kernel_sum(a, b) / (n * m))
