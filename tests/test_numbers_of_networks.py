"""What the documents say of other networks and of runs on a GPU, in numbers of the committed tables."""

import math
import re

from ddpm import artifacts
from stages.analysis.statistics import DECIDED
from tests.committed import only_as_committed
from tests.conftest import ROOT
from tests.prose import FINDINGS, fid_of, findings_say, says

pytestmark = only_as_committed


def cosine_over_sigmoid(*runs: str, sampler: str) -> list[float]:
    """Ratios of FIDs of the cells of kept runs, sorted."""
    fid = {cell: value for run in runs for cell, value in fid_of(run).items()}
    cells = {(T, seed) for _, T, seed, _ in fid}
    return sorted(fid["cosine", T, seed, sampler] / fid["sigmoid", T, seed, sampler] for T, seed in cells)


def test_the_reports_network() -> None:
    of = artifacts.read_json(ROOT / "metrics" / "claims.json")["networks"]["the report's network, reconstructed"]
    assert (of["seeds"], of["T"]) == ([3, 4, 5, 6, 7], [50, 200])
    worse = of["claims"]["cosine-worse"]
    assert worse["verdict"] == worse["second_opinion"] == "supported"
    decided = [name for name, claim in of["claims"].items() if claim["verdict"] in DECIDED]
    assert decided == ["cosine-worse", "one-step", "sigmoid-loss"]
    assert of["claims"]["one-step"]["verdict"] == "supported"
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
        f"For models of the same seed at T = 50 and 200, cosine's FID is {without[0]:.0f} to {without[-1]:.0f} times "
        f"sigmoid's without the clip and {with_it[0]:.1f} to {with_it[-1]:.1f} times with it (mean {clipped_mean[1]}, "
        f"95 % interval {clipped_mean[2]}).",
        f"cosine is worse than sigmoid (supported: {mean} times, {low} to {high}), the first reverse",
        "and sigmoid's loss is more than slightly worse (refuted)",
    )


def test_all_T_of_the_reports_network() -> None:
    further = {
        cell: value
        for name in ("100", "400", "800", "sigmoid")
        for cell, value in fid_of(f"report-network-{name}").items()
    }
    assert {seed for _, _, seed, _ in further} == {5}

    def at(schedule: str, sampler: str) -> str:
        return "{:.2f}, {:.2f} and {:.2f}".format(*(further[schedule, T, 5, sampler] for T in (100, 400, 800)))

    findings_say(
        f"Seed 5 has all five T: at T = 100, 400 and 800 cosine's FID is {at('cosine', 'ancestral')} without the clip "
        f"and {at('cosine', 'clipped')} with it; without it linear's is {at('linear', 'ancestral')} and sigmoid's "
        f"{at('sigmoid', 'ancestral')}."
    )


def test_the_first_step_of_the_reports_network() -> None:
    runs = sorted(path.name for path in (ROOT / "metrics" / "runs").glob("report-network-first-step-*"))
    fid = {cell: value for run in runs for cell, value in fid_of(run).items()}

    def found(sampler: str, T: int) -> str:
        values = sorted(value for (_, at, _, its), value in fid.items() if (at, its) == (T, sampler))
        low, high = (f"{value:.{2 if value < 10 else 1}f}" for value in (values[0], values[-1]))
        return f"{low} to {high}"

    told = (
        f"with x_0 clipped in that step only, cosine's FID is {found('clipped-first', 50)} at T = 50 (without the clip "
        f"{found('ancestral', 50)}) and {found('clipped-first', 200)} at T = 200 ({found('ancestral', 200)})"
    )
    says(told)
    findings_say(
        told,
        f"with that step left out {found('late-start', 50)} and {found('late-start', 200)}, with the clip in every "
        f"step {found('clipped', 50)} and {found('clipped', 200)}, and in all steps but the first "
        f"{found('clipped-rest', 50)} and {found('clipped-rest', 200)}.",
    )
    assert {seed for _, _, seed, _ in fid} == {5, 6, 7}
    says("The first reverse step alone explains the clip's gain there, too (supported)")
    findings_say(
        "tested with seeds 5, 6 and 7", "first reverse step alone explains what the clip gains cosine (supported)"
    )


def test_runs_of_the_gpu() -> None:
    first, *_, last = cosine_over_sigmoid("gpu-10000", sampler="ancestral")
    assert f"cosine {first:.2f} to {last:.2f} times sigmoid's" in FINDINGS
