"""What the documents say of the number of steps T and of epochs, in numbers of the committed tables."""

import math
from collections.abc import Mapping
from itertools import product

import numpy as np

from ddpm import artifacts
from stages.analysis import statistics
from tests.committed import only_as_committed
from tests.conftest import ROOT
from tests.prose import fid_of, findings_say, says, table

Cell = tuple[str, int, int, str]
Kind = tuple[str, int, str]
SAMPLERS = ("ancestral", "clipped")

pytestmark = only_as_committed


def test_fewer_steps_of_one_model() -> None:
    every = artifacts.read_json(ROOT / "metrics" / "comparisons.json")["changes"]
    changes = [every[f"{steps} steps of a model of 800"] for steps in (50, 100, 200, 400)]
    assert {(change["seeds"], change["pairs"], change["verdict"]) for change in changes} == {(3, 9, "not significant")}
    ratios = [change["ratio"] for change in changes]
    low, high = min(change["low"] for change in changes), max(change["high"] for change in changes)
    fid = fid_of("fewer-steps-of-800") | ours()
    bounds, differ = [], []
    for name, steps in product(("linear", "cosine", "sigmoid"), (50, 100, 200, 400)):
        shown = times(fid, (name, 800, f"clipped-{steps}"), fid, (name, steps, "clipped"))
        ends = [float(bound) for bound in shown.split("(")[1].split(" to ")]
        bounds += ends
        differ += [] if ends[0] < 1 < ends[1] else [f"{name}, {steps} steps: {shown.replace(' times|(', ', ')}"]
    (one,) = differ
    findings_say(
        f"the ratios of FID are {min(ratios):.2f} to {max(ratios):.2f}, pooled over the schedules, with intervals "
        f"within {low:.2f} to {high:.2f} (three seeds). By schedule the intervals are within {min(bounds):.2f} to "
        f"{max(bounds):.2f}; of these twelve, uncorrected, one excludes 1 ({one})."
    )

    told = []
    for name in ("linear", "sigmoid", "cosine"):
        shares = []
        for seed in (3, 4, 5):
            cells = ((800, "clipped"), (800, "clipped-50"), (50, "clipped"))
            many, fewer, trained = (math.log(fid[name, T, seed, sampler]) for T, sampler in cells)
            shares.append(100 * (many - fewer) / (many - trained))
        told.append(f"{min(shares):.0f} to {max(shares):.0f} % on {name}")
    findings_say(f"as a share of the rise in log FID it is, by seed, {', '.join(told[:2])} and {told[2]}.")


def times(more: Mapping[Cell, float], above: Kind, fewer: Mapping[Cell, float], below: Kind) -> str:
    """Ratio of FIDs of two kinds of cell (schedule, T, sampler) over seeds 3 to 5, and its interval without its end."""
    logs = [
        math.log(more[above[0], above[1], seed, above[2]] / fewer[below[0], below[1], seed, below[2]])
        for seed in (3, 4, 5)
    ]
    low, high = statistics.interval(logs, 0.95)
    return f"{math.exp(np.mean(logs)):.2f} times|({math.exp(low):.2f} to {math.exp(high):.2f}"


def ours() -> dict[Cell, float]:
    return {cell: fid for seed in (3, 4, 5) for cell, fid in fid_of(f"seed-{seed}").items()}


def test_fewer_steps_than_the_reports() -> None:
    few, grid = fid_of("few-steps"), ours()
    assert all(few["linear", 20, seed, "ancestral"] < grid["linear", 50, seed, "ancestral"] for seed in (3, 4, 5))
    linear, in_brackets = times(few, ("linear", 20, "ancestral"), grid, ("linear", 50, "ancestral")).split("|")
    of_sigmoid = times(few, ("sigmoid", 12, "ancestral"), grid, ("sigmoid", 50, "ancestral")).split("|(")[1]
    at_20 = f"At T = 20 linear's FID is {linear} that at T = 50 {in_brackets}; smaller for every seed)"
    says(at_20)
    assert float(of_sigmoid.split(" to ")[0]) > 1
    assert all(few["sigmoid", 12, seed, "ancestral"] > grid["sigmoid", 50, seed, "ancestral"] for seed in (3, 4, 5))
    findings_say(
        "For every seed, linear's FID is smaller at T = 20 than at T = 50, and sigmoid's is larger at T = 12.",
    )


def test_more_steps_than_the_reports() -> None:
    """Of the same seeds, since trainings differ."""
    more, grid = fid_of("many-steps-cosine"), ours()
    there = [more["cosine", 4000, seed, "ancestral"] for seed in (3, 4, 5)]
    plain, clipped = (
        times(more, ("cosine", 4000, sampler), grid, ("cosine", 800, sampler)) for sampler in ("ancestral", "clipped")
    )
    told = f"without the clip its FID is {min(there):.2f} to {max(there):.2f} there"
    says(told)
    findings_say(f"{told}, {plain.replace('|', ' that at T = 800 ')}), and with the clip {clipped.replace('|', ' ')})")
    assert min(there) > 1.5 * max(grid["sigmoid", 800, seed, "ancestral"] for seed in (3, 4, 5))  # is not repaired


def test_more_steps_on_sigmoid() -> None:
    more = times(fid_of("many-steps-sigmoid"), ("sigmoid", 4000, "ancestral"), ours(), ("sigmoid", 800, "ancestral"))
    assert float(more.split(" to ")[1]) < 1
    findings_say("On sigmoid T = 4000 is slightly better than T = 800.")


def test_more_steps_with_normalisation_in_every_block() -> None:
    fid = fid_of("norm-all")
    (plain, spread), (clipped, spread_clipped) = (
        times(fid, ("cosine", 200, sampler), fid, ("cosine", 50, sampler)).split("|")
        for sampler in ("ancestral", "clipped")
    )
    findings_say(
        f"cosine's FID at T = 200 is {plain} that at T = 50 without the clip {spread}), and {clipped} with it "
        f"{spread_clipped})",
    )
    says(
        f"without the clip its FID at T = 200 is {plain} that at T = 50 {spread}, not corrected); with this study's "
        "network that is open."
    )
    with_ours = times(ours(), ("cosine", 200, "ancestral"), ours(), ("cosine", 50, "ancestral"))
    low, high = with_ours.split("(")[1].split(" to ")
    assert float(low) < 1 < float(high)


LONGER = {50: "epochs-15-at-50", 800: "epochs-15-at-800"}


def test_longer_training() -> None:
    fids, grid = {T: fid_of(run) for T, run in LONGER.items()}, ours()

    def mean(fid: Mapping[Cell, float], name: str, T: int, sampler: str = "ancestral") -> float:
        return math.exp(np.mean([math.log(fid[name, T, seed, sampler]) for seed in (3, 4, 5)]))

    told, ends, all_ratios = {}, {}, []
    for T, fid in fids.items():
        kinds = [(name, T, sampler) for name, sampler in product(("linear", "cosine", "sigmoid"), SAMPLERS)]
        ratios = [float(times(fid, kind, grid, kind).split()[0]) for kind in kinds]
        all_ratios += ratios
        told[T] = f"{min(ratios):.2f} to {max(ratios):.2f} times as large at T = {T}"
        cosine = [fid["cosine", T, seed, "ancestral"] for seed in (3, 4, 5)]
        ends[T] = f"({min(cosine):.2f} to {max(cosine):.2f} by seed)"
        assert all(
            fid[cell] < grid[cell] for cell in product(("linear", "cosine", "sigmoid"), [T], (3, 4, 5), SAMPLERS)
        )
        assert all(fid["linear", T, seed, "ancestral"] < fid["cosine", T, seed, "ancestral"] for seed in (3, 4, 5))
        assert mean(fid, "linear", T) < mean(fid, "sigmoid", T)
        assert abs(math.log(mean(fid, "cosine", T, "clipped") / mean(fid, "linear", T))) < 0.05
        assert mean(grid, "cosine", T) > mean(grid, "sigmoid", T)
        assert mean(fid, "cosine", T) < mean(fid, "sigmoid", T)

    def to_sigmoid(fid: Mapping[Cell, float], T: int) -> str:
        return times(fid, ("cosine", T, "ancestral"), fid, ("sigmoid", T, "ancestral"))

    between = {T: to_sigmoid(fid, T).replace("|", " sigmoid's " if T == 50 else " ") + ")" for T, fid in fids.items()}
    earlier = {T: to_sigmoid(grid, T).replace("|", " ") + ")" for T in fids}
    for told_of in (*between.values(), *earlier.values()):
        low, high = told_of.partition("(")[2].rstrip(")").split(" to ")
        assert float(low) < 1 < float(high)
    at = {(name, T): f"{mean(fids[T], name, T):.2f}" for name in ("linear", "cosine", "sigmoid") for T in fids}
    says(
        "lowers FID on every schedule and for every seed (T = 50 and 800), on average to "
        f"{min(all_ratios):.2f} to {max(all_ratios):.2f} times its value.",
        "whether cosine is still worse than sigmoid, three seeds do not tell.",
    )
    findings_say(
        f"the FIDs are {told[50]} and {told[800]}",
        f"At T = 50 linear has {at['linear', 50]}, cosine {at['cosine', 50]} {ends[50]} and sigmoid "
        f"{at['sigmoid', 50]}; at T = 800 {at['linear', 800]}, {at['cosine', 800]} {ends[800]} and "
        f"{at['sigmoid', 800]}; cosine with the clip has {mean(fids[50], 'cosine', 50, 'clipped'):.2f} and "
        f"{mean(fids[800], 'cosine', 800, 'clipped'):.2f}. So",
        "but whether cosine is still worse than sigmoid, three seeds do not tell: cosine's FID is "
        f"{between[50]} at T = 50 and {between[800]} at T = 800, after 5 epochs of the same seeds {earlier[50]} and "
        f"{earlier[800]}.",
    )
    both = fids[50] | fids[800]
    after, before = (
        times(fid, ("linear", 800, "ancestral"), fid, ("linear", 50, "ancestral")).replace("|", " ") + ")"
        for fid in (both, grid)
    )
    findings_say(f"on linear T = 800 has {after} the FID of T = 50, after 5 epochs of the same seeds {before}")


def test_fifty_epochs() -> None:
    fid, grid, fifteen = fid_of("epochs-50-at-50"), ours(), fid_of(LONGER[50])
    schedules = ("linear", "cosine", "sigmoid")
    ratios = [float(times(fid, kind, grid, kind).split()[0]) for kind in product(schedules, [50], SAMPLERS)]
    of = {kind: sorted(fid[kind[0], 50, seed, kind[1]] for seed in (3, 4, 5)) for kind in product(schedules, SAMPLERS)}
    mean = {kind: f"{math.exp(np.mean(np.log(values))):.2f}" for kind, values in of.items()}
    linear, sigmoid, cosine = (mean[name, "ancestral"] for name in ("linear", "sigmoid", "cosine"))
    by_seed = f"{of['cosine', 'ancestral'][0]:.2f} to {of['cosine', 'ancestral'][-1]:.2f} by seed"
    for after in (fid, fifteen):
        for seed, other in product((3, 4, 5), ("cosine", "sigmoid")):
            assert after["linear", 50, seed, "ancestral"] < after[other, 50, seed, "ancestral"]
    assert all(fid[cell] < grid[cell] for cell in fid)
    says(
        f"After 50 epochs (T = 50 only) that is still so, with FIDs {min(ratios):.2f} to {max(ratios):.2f} times those "
        f"after 5: linear {linear}, sigmoid {sigmoid}, cosine {by_seed}, with the clip {mean['cosine', 'clipped']} ("
    )
    to_sigmoid, to_linear = (
        times(fid, ("cosine", 50, sampler), fid, (other, 50, sampler)).replace("|", f" {other}'s ") + ")"
        for sampler, other in (("ancestral", "sigmoid"), ("clipped", "linear"))
    )
    for told in (to_sigmoid, to_linear):
        low, high = told.partition("(")[2].rstrip(")").split(" to ")
        assert float(low) < 1 < float(high)
    row = table("docs/findings.md", "amplified")["train.epochs = 50, cosine"]
    findings_say(
        f"are {min(ratios):.2f} to {max(ratios):.2f} times those after 5: linear has {linear}, cosine {cosine} "
        f"({by_seed}) and sigmoid {sigmoid}, cosine with the clip {mean['cosine', 'clipped']}. ",
        f"cosine's FID is {to_sigmoid}, and with the clip {to_linear}, both open.",
        f"the first reverse step still leaves {row['Error of x at t = T - 1']}, and the clip divides cosine's FID by "
        f"{row['Over FID with clip']} (",
    )
    assert not list((ROOT / "metrics" / "runs").glob("epochs-50-at-800")), "T = 50 only"
