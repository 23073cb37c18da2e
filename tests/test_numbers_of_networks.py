"""What the documents say of other networks and of runs on a GPU, in numbers of the committed tables."""

import math
import re

from ddpm import artifacts
from ddpm.quality.rank_agreement import kendall_tau
from stages.analysis.statistics import DECIDED, holm, interval
from stages.analysis.tables import p_value
from tests.committed import only_as_committed
from tests.conftest import ROOT
from tests.prose import FINDINGS, fid_of, findings_say, metric_of, says, table

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

    says(
        f"With x_0 clipped in the first reverse step only, cosine's FID is {found('clipped-first', 50)} at T = 50 "
        f"(without the clip {found('ancestral', 50)}) and {found('clipped-first', 200)} at T = 200 "
        f"({found('ancestral', 200)})"
    )
    assert {seed for _, _, seed, _ in fid} == {5, 6, 7}
    assert "With both, the first reverse step alone explains the clip's gain, too." in (ROOT / "README.md").read_text()
    findings_say(
        "tested with seeds 5, 6 and 7", "first reverse step alone explains what the clip gains cosine (supported)"
    )


def test_runs_of_the_gpu() -> None:
    first, *_, last = cosine_over_sigmoid("gpu-10000", sampler="ancestral")
    assert f"cosine {first:.2f} to {last:.2f} times sigmoid's" in FINDINGS


def test_the_correction_over_all_networks() -> None:
    """Holm's correction over the tests of all networks together, instead of in each."""
    table = artifacts.read_json(ROOT / "metrics" / "claims.json")
    by_network = {"here": table["claims"]} | {name: of["claims"] for name, of in table["networks"].items()}
    p_values = {
        f"{claim}, {network}": min(1.0, 2 * min(of["p_for"], of["p_against"]))
        for network, claims in by_network.items()
        for claim, of in claims.items()
        if of.get("n", 0) > 1
    }
    left = {name for name, p in holm(p_values).items() if p < 0.05}
    others = ("normalisation in every block", "the report's network, reconstructed")
    assert left == {"one-step, here", f"cosine-worse, {others[1]}", *(f"sigmoid-loss, {x}" for x in ("here", *others))}
    findings_say(f"Over all {len(p_values)} tests of the three networks together, it would leave five verdicts:")


def test_the_claim_that_cosine_is_worse_is_close_to_the_limit() -> None:
    claim = artifacts.read_json(ROOT / "metrics" / "claims.json")["claims"]["cosine-worse"]
    before = claim["exploratory"]
    mean, low, high = (f"{math.exp(before[key]):.2f}" for key in ("estimate", "low", "high"))
    says(
        f"close to the limit ({p_value(claim['adjusted_p'])}; the exploratory seeds have {mean} times, {low} to {high})"
    )


def test_normalisation_in_every_block() -> None:
    claims = artifacts.read_json(ROOT / "metrics" / "claims.json")["networks"]["normalisation in every block"]["claims"]
    slope = re.search(r"to sigmoid's by (\S+) \((\S+ to \S+);", claims["cosine-why"]["plain"])
    assert slope
    findings_say(
        f"the ratio does seem to fall ({slope[1]} times per doubling of T, {slope[2]}), but there cosine is not"
    )
    assert claims["cosine-worse"]["estimate"] < 0

    def ratio_at(T: int, metric: str) -> tuple[str, str]:
        of = metric_of("norm-all", metric)
        logs = [
            math.log(of["cosine", T, seed, "ancestral"] / of["sigmoid", T, seed, "ancestral"]) for seed in (3, 4, 5)
        ]
        low, high = interval(logs, 0.95)
        return f"{math.exp(sum(logs) / 3):.2f} times", f"{math.exp(low):.2f} to {math.exp(high):.2f}"

    (at_50, of_50), (at_200, of_200) = (ratio_at(T, "fid") for T in (50, 200))
    (kid, of_kid), (digits, of_digits) = (ratio_at(200, metric) for metric in ("kid", "digits_distance"))
    findings_say(
        f"its FID is {at_50} sigmoid's ({of_50}) at T = 50 and {at_200} ({of_200}) at T = 200, where KID ({kid}, "
        f"{of_kid}) and the digit classifier ({digits}, {of_digits}) agree; these intervals are not corrected.",
    )


def test_the_earlier_network() -> None:
    row = table("docs/findings.md", "changes")["cosine in place of sigmoid, earlier network"]
    low, high = (f"{float(end):.1f}" for end in row["95 % interval"].split(" to "))
    says(f"with which cosine's FID was {float(row['Ratio of FID']):.1f} times sigmoid's ({low} to {high}):")


def test_with_the_clip_the_loss_goes_with_the_fid() -> None:
    told = []
    for loss in ("loss_simple", "loss_common"):
        taus = []
        for seed in range(3, 11):
            losses, fids = metric_of(f"seed-{seed}", loss), fid_of(f"seed-{seed}")
            cells = [cell for cell in fids if cell[-1] == "clipped"]
            taus.append(kendall_tau([losses[cell] for cell in cells], [fids[cell] for cell in cells]))
        low, high = interval(taus, 0.95)
        told.append(f"{sum(taus) / len(taus):.2f}, {low:.2f} to {high:.2f},")
    findings_say(f"(tau {told[0]} with each schedule's own weighting; {told[1]} at equal noise levels;")
