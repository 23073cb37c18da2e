"""What a set of samples scores against real images, in the features of Inception and in those of a classifier."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from ddpm.core import rng
from ddpm.quality.estimators import frechet_infinity, kernel_distance_by_blocks
from ddpm.quality.frechet import fit_gaussian, gaussian_distance, kernel_distance
from ddpm.quality.precision_recall import precision_recall

Features = NDArray[Any]

CONFIDENT = 0.9  # a sample that the classifier is less sure of is doubtful


def _permutation(rows: int, replicate: int) -> NDArray[np.int64]:
    order: NDArray[np.int64] = torch.randperm(rows, generator=rng.stream(0, "FID infinity", replicate)).numpy()
    return order


def inception_scores(
    reference: Features, samples: Features, kid_images: int, kid_block: int, device: str
) -> dict[str, float | int]:
    """FID, KID, precision and recall of samples; what real images score instead is the stage ``baseline``'s.

    ``fid_equal_n`` takes as many images of the reference as there are samples, and so do precision and recall.

    Args:
        reference: features of real images, ``[m, d]``.
        samples: features of the samples, ``[n, d]``, n at most m.
        kid_images: how many reference images KID takes.
        kid_block: images of a block of KID, for its standard error.
        device: where the sums over many rows are computed.
    """
    n, all_real = len(samples), fit_gaussian(reference, device)
    generated = fit_gaussian(samples, device)
    kid = kernel_distance_by_blocks(samples, reference[:kid_images], kid_block)
    infinite = frechet_infinity(samples, all_real, lambda k: _permutation(n, k), device=device)
    precision, recall = precision_recall(samples, reference[:n], device=device)
    return {
        "fid": gaussian_distance(generated, all_real),
        "fid_equal_n": gaussian_distance(generated, fit_gaussian(reference[:n], device)),
        "fid_infinity": infinite.value,
        "fid_infinity_error": infinite.error,
        "kid": kernel_distance(samples, reference[:kid_images], device),
        "kid_error": kid.error,
        "precision": precision,
        "recall": recall,
        "samples": n,
        "reference_images": len(reference),
    }


def classifier_baseline(reference: Features, held_out: Features, n: int, device: str) -> dict[str, float]:
    """What n real images score in a classifier's features.

    Args:
        reference, held_out: features of real images, disjoint, ``[m, d]``.
        n: how many held-out images take the samples' place.
        device: where precision and recall are computed.
    """
    precision, recall = precision_recall(held_out[:n], reference[:n], device=device)
    return {
        "digits_floor": gaussian_distance(fit_gaussian(held_out[:n]), fit_gaussian(reference)),
        "digits_precision_floor": precision,
        "digits_recall_floor": recall,
    }


def classifier_scores(
    reference: Features, samples: Features, probabilities: Features, shares: Features, device: str
) -> dict[str, float]:
    """Distance, precision, recall and class balance of n samples in a classifier's features.

    Args:
        reference: features of real images, ``[m, d]``.
        samples: features of the samples, ``[n, d]``.
        probabilities: class probabilities of the samples, ``[n, classes]``.
        shares: of each class among the training images, ``[classes]``.
        device: where precision and recall are computed.
    """
    n = len(samples)
    precision, recall = precision_recall(samples, reference[:n], device=device)
    counts = np.bincount(probabilities.argmax(1), minlength=len(shares))
    return {
        "digits_distance": gaussian_distance(fit_gaussian(samples), fit_gaussian(reference)),
        "digits_precision": precision,
        "digits_recall": recall,
        "confidence": float(probabilities.max(1).mean()),
        "doubtful_share": float((probabilities.max(1) < CONFIDENT).mean()),
        "classes_p": float(stats.chisquare(counts, shares * n).pvalue),
        "rarest_class_share": float(counts.min() / n),
    }
