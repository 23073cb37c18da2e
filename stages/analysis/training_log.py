"""Training logs, read."""

from collections.abc import Sequence
from typing import Any


def epoch_losses(log: Sequence[dict[str, Any]]) -> list[float]:
    """Mean loss of every epoch, first to last, each image weighing the same.

    Args:
        log: ``epoch``, ``images`` and ``loss`` of every step, as ``train`` writes them.
    """
    means = []
    for epoch in range(1, log[-1]["epoch"] + 1):
        steps = [step for step in log if step["epoch"] == epoch]
        means.append(sum(step["loss"] * step["images"] for step in steps) / sum(step["images"] for step in steps))
    return means
