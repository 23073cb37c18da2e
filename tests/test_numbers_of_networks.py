"""What the documents say of other networks and of runs on a GPU, in numbers of the committed tables."""

import math
import re

import pytest

from ddpm import artifacts
from stages.analysis.statistics import DECIDED
from tests.conftest import ROOT
from tests.prose import FINDINGS, fid_of, findings_say, says
from tests.stages.tools.test_document import changed

pytestmark = pytest.mark.skipif(changed(), reason="metrics/ is not as committed")


def cosine_over_sigmoid(*runs: str, sampler: str) -> list[float]:
    """Ratios of FIDs of the cells of kept runs, sorted."""
    fid = {cell: value for run in runs for cell, value in fid_of(run).items()}
    cells = {(T, seed) for _, T, seed, _ in fid}
    return sorted(fid["cosine", T, seed, sampler] / fid["sigmoid", T, seed, sampler] for T, seed in cells)


def test_the_reports_network() -> None:
    of = artifacts.read_json(ROOT / "metrics" / "claims.json")["networks"]["the report's network, reconstructed"]
    assert (of["seeds"], of["T"]) == ([3, 4, 5], [50, 200])
    worse = of["claims"]["cosine-worse"]
    assert worse["verdict"] == worse["second_opinion"] == "supported"
    decided = [name for name, claim in of["claims"].items() if claim["verdict"] in DECIDED]
    assert decided == ["cosine-worse", "sigmoid-loss"]
    clipped_mean = re.search(r"with clipping (\d\.\d+) times \((\S+ to [^)]+)\)", worse["plain"])
    assert clipped_mean
    says(
        "agrees with the report that cosine is worse than sigmoid, by FID and by the digit classifier.",
        f"With the clip this is open ({clipped_mean[1]} times sigmoid's FID, {clipped_mean[2]}).",
    )
    runs = ("gpu-report-network", *(f"report-network-seed-5-{part}" for part in ("at-50", "at-200", "sigmoid")))
    without, with_it = (cosine_over_sigmoid(*runs, sampler=sampler) for sampler in ("ancestral", "clipped"))
    mean, low, high = (f"{math.exp(worse[key]):.1f}" for key in ("estimate", "low", "high"))
    findings_say(
        f"For models of the same T and seed, cosine's FID is {without[0]:.0f} to {without[-1]:.0f} times sigmoid's "
        f"without the clip and {with_it[0]:.1f} to {with_it[-1]:.1f} times with it (mean {clipped_mean[1]}, 95 % "
        f"interval {clipped_mean[2]}).",
        f"cosine is worse than sigmoid (supported: {mean} times, {low} to {high}), and sigmoid's loss is more than",
    )


def test_the_first_step_of_the_reports_network() -> None:
    fid = fid_of("report-network-first-step-5")
    linear = fid_of("report-network-seed-5-at-50") | fid_of("report-network-seed-5-at-200")
    assert {seed for _, _, seed, _ in fid} == {5}
    no_clip, first, rest, late = (
        [fid["cosine", T, 5, sampler] for T in (50, 200)]
        for sampler in ("ancestral", "clipped-first", "clipped-rest", "late-start")
    )
    told = (
        f"cosine's FID falls from {no_clip[0]:.1f} to {first[0]:.2f} at T = 50 and from {no_clip[1]:.1f} to "
        f"{first[1]:.2f} at T = 200; linear has {linear['linear', 50, 5, 'ancestral']:.2f} and "
        f"{linear['linear', 200, 5, 'ancestral']:.2f}"
    )
    says(told)
    findings_say(
        told,
        f"With that step left out it is {late[0]:.2f} and {late[1]:.2f}, with the clip in all other steps "
        f"{rest[0]:.2f} and {rest[1]:.2f}.",
    )


def test_runs_of_the_gpu() -> None:
    first, *_, last = cosine_over_sigmoid("gpu-10000", sampler="ancestral")
    assert f"cosine {first:.2f} to {last:.2f} times sigmoid's" in FINDINGS
