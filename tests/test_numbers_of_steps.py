"""What the documents say of the number of steps T, in numbers of the committed tables."""

import math

import numpy as np
import pytest

from ddpm import artifacts
from stages.analysis import statistics
from tests.conftest import ROOT
from tests.prose import fid_of, says
from tests.stages.tools.test_document import changed

pytestmark = pytest.mark.skipif(changed(), reason="metrics/ is not as committed")


def test_fewer_steps_of_one_model() -> None:
    every = artifacts.read_json(ROOT / "metrics" / "comparisons.json")["changes"]
    changes = [every[f"{steps} steps of a model of 800"] for steps in (50, 100, 200, 400)]
    assert {(change["seeds"], change["pairs"], change["verdict"]) for change in changes} == {(3, 9, "not significant")}
    ratios = [change["ratio"] for change in changes]
    low, high = min(change["low"] for change in changes), max(change["high"] for change in changes)
    says(
        f"ratios of FID of {min(ratios):.2f} to {max(ratios):.2f}, pooled over the schedules, with intervals within "
        f"{low:.2f} to {high:.2f} (three seeds)"
    )
    fid = fid_of("fewer-steps-of-800")
    for seed in (3, 4, 5):
        fid |= fid_of(f"seed-{seed}")

    told = []
    for name in ("linear", "sigmoid", "cosine"):
        shares = []
        for seed in (3, 4, 5):
            cells = ((800, "clipped"), (800, "clipped-50"), (50, "clipped"))
            many, fewer, trained = (math.log(fid[name, T, seed, sampler]) for T, sampler in cells)
            shares.append(100 * (many - fewer) / (many - trained))
        told.append(f"{min(shares):.0f} to {max(shares):.0f} % on {name}")
    says(f"by seed {', '.join(told)} (of the log FID)")


def test_fewer_steps_than_the_reports() -> None:
    for seed in (3, 4, 5):
        fid = fid_of("few-steps") | fid_of(f"seed-{seed}")
        assert fid["linear", 20, seed, "ancestral"] < fid["linear", 50, seed, "ancestral"]
        assert fid["sigmoid", 12, seed, "ancestral"] > 1.5 * fid["sigmoid", 50, seed, "ancestral"]
    says(
        "With each of the three seeds, linear's FID is smaller at T = 20 than at T = 50",
        "sigmoid's at T = 12 is more than 1.5 times that at T = 50",
    )


def test_more_steps_than_the_reports() -> None:
    """Of the same seeds, since trainings differ."""
    cosine, linear = fid_of("many-steps-cosine"), fid_of("many-steps-linear")
    logs: dict[str, list[float]] = {"cosine": [], "linear": []}
    for seed in (3, 4, 5):
        fewer = fid_of(f"seed-{seed}")
        assert cosine["cosine", 4000, seed, "ancestral"] > fewer["cosine", 50, seed, "ancestral"]
        for name, more in (("cosine", cosine), ("linear", linear)):
            logs[name].append(math.log(more[name, 4000, seed, "clipped"] / fewer[name, 800, seed, "clipped"]))
    mean, (low, high) = np.mean(logs["cosine"]), statistics.interval(logs["cosine"], 0.95)
    says(
        "without the clip its FID is larger than at T = 50 with each of the three seeds, and with the clip "
        f"{math.exp(mean):.2f} times that at T = 800 ({math.exp(low):.2f} to {math.exp(high):.2f})"
    )
    assert abs(np.mean(logs["linear"])) < math.log(1.1)
