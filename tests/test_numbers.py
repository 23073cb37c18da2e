"""Numbers in the prose of README and findings are those of the committed tables, parameters and benchmarks.

Their tables, and the answer, are written by stages.tools.document, whose test compares them.
"""

import math
import re
from itertools import product
from typing import Any

import pytest
import yaml
from scipy import stats

from ddpm import artifacts
from ddpm.core.rng import stream
from ddpm.network.kinds import create
from ddpm.quality.rank_agreement import kendall_tau
from stages.tools import experiments
from stages.tools.document import DOCUMENTS
from tests.committed import only_as_committed
from tests.conftest import ROOT
from tests.prose import FINDINGS, findings_say, metric_of, plain, says, table

pytestmark = only_as_committed


PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
SEEDS: list[int] = artifacts.read_json(ROOT / "metrics" / "claims.json")["seeds"]  # the confirmatory ones


def test_the_seeds() -> None:
    assert list(range(3, SEEDS[-1] + 1)) == SEEDS
    says(
        f"geometric means of seeds 0 to {SEEDS[-1]} (3 to 5 outside the grey area); bars: ranges",
        "[eight seeds](metrics/runs/README.md) test their claims",
    )
    of_the_figure = {row["Seeds"] for row in table("docs/findings.md", "fid").values()}
    assert of_the_figure == {f"{SEEDS[-1] + 1}; 3 at T = 12, 20, 30, 4000"}
    findings_say("The eight confirmatory seeds were listed before the first of them was run")
    planned = [
        name.removeprefix("seed-") for name in experiments.read(ROOT / experiments.FILE) if name.startswith("seed-")
    ]
    assert [seed for seed in map(int, planned) if seed >= 3] == SEEDS
    of_the_first_step = artifacts.read_json(ROOT / "metrics" / "claims.json")["claims"]["one-step"]["n"]
    assert of_the_first_step == len(SEEDS) == 8
    findings_say("and the verdicts use all of them.")


NO_CLIP = ("Linear, no clip", "Sigmoid, no clip", "Cosine, no clip")


def test_linear_is_the_best_with_every_network() -> None:
    rows = table("README.md", "by-network")
    networks = artifacts.read_json(ROOT / "metrics" / "claims.json")["networks"]
    assert len(rows) == 1 + sum(bool(of["seeds"]) for of in networks.values())
    for row in rows.values():
        ranges = (row[name].partition(" (")[0].split(" to ") for name in NO_CLIP)
        linear, *others = (tuple(map(float, low_high)) for low_high in ranges)
        assert linear[1] < min(low for low, _ in others), row
    answer = " ".join((ROOT / "README.md").read_text().split())
    report = "the report's network, reconstructed"
    assert f"linear has the lowest FID; that is open only with {report} (its mean is lowest)." in answer


def test_what_depends_on_the_metric() -> None:
    text = (ROOT / "docs" / "findings.md").read_text()
    rows = re.search(r"<!-- begin metrics -->(.*)<!-- end metrics -->", text, flags=re.DOTALL)
    assert rows
    columns = {row.split(" | ")[0].strip("| "): row.split(" | ")[1:] for row in rows[1].strip().splitlines()}
    low_high = r"\((\d+\.\d+) to (\d+\.\d+)\)"
    of = {name: [tuple(map(float, found)) for found in re.findall(low_high, " ".join(columns[name]))]
          for name in ("FID", "FID, n to infinity", "KID", "digit classifier")}  # fmt: skip
    assert all(of[name][0][0] < 1 < of[name][0][1] for name in ("KID", "digit classifier"))
    assert of["FID"][0][0] > 1
    claims = artifacts.read_json(ROOT / "metrics" / "claims.json")["claims"]
    assert claims["cosine-worse"]["verdict"] == "supported"
    fid, kid = (columns[name][0].split()[0] for name in ("FID", "KID"))
    assert float(kid) < 1 < float(fid)
    assert "by KID; the intervals of KID and of the digit classifier contain 1." in FINDINGS
    assert all(low_high[1][1] < 1 for low_high in of.values()), "with the clip, cosine is better than sigmoid"
    _, _, clipped, *of_T = of["FID"]
    assert clipped[0] < 1 < clipped[1]
    assert all(low > 1 for low, _ in of_T), "the answer: more steps do not lower the FID"
    _, _, clipped, *of_T = of["digit classifier"]
    assert clipped[0] > 1
    assert all(low <= 1 for low, _ in of_T), "the answer: no rise is seen"
    assert all(high < 1.1 for _, high in of_T)
    fid, kid, digits = (columns[name][1].replace(" times", "") for name in ("FID", "KID", "digit classifier"))
    says(
        "With the clip all three find cosine better than sigmoid: {} times its FID {}, ".format(*fid.split(" ", 1))
        + "{} times its KID {} and ".format(*kid.split(" ", 1))
        + "{} times its distance by the digit classifier {} ([table]".format(*digits.split(" ", 1))
    )
    assert "cosine and linear have the same FID, but by the digit classifier cosine is further from the" in FINDINGS
    assert "FID is higher at T = 800 than at T = 50, but the digit classifier's distance is not." in FINDINGS
    small = claims["T-small-effect"]["plain"]
    linear, sigmoid = (
        "{} to {} %".format(*(round(100 * (float(end) - 1)) for end in found.groups()))
        for name in ("linear", "sigmoid")
        if (found := re.search(rf"\((\S+) to (\S+); {name}\)", small))
    )
    assert f"On sigmoid the interval of the rise ({sigmoid}) lies below the 25 % that the claim allows" in FINDINGS
    assert f"on linear ({linear}) and on cosine without the clip" in FINDINGS


def test_linear_is_the_best_by_every_metric() -> None:
    compared = 0
    for seed, metric in product(SEEDS, ("fid", "kid", "digits_distance")):
        found = metric_of(f"seed-{seed}", metric)
        for (schedule, T, its, sampler), value in found.items():
            if sampler == "ancestral" and schedule != "linear":
                assert found["linear", T, its, sampler] < value, (metric, schedule, T, seed)
                compared += 1
    assert compared == len(SEEDS) * 3 * 5 * 2
    says(
        "Without the clip linear is the best by FID, KID and the digit classifier alike, at every T and for every seed;"
    )


def test_the_effect_of_T_without_the_clip_is_open() -> None:
    (told,) = (
        row for name, row in table("docs/findings.md", "measured").items() if name.startswith("T has only a small")
    )
    ends = re.search(r"\((\d\.\d+) to (\d\.\d+); cosine\)", told["Measured"])
    assert ends
    assert float(ends[1]) < 1 < float(ends[2])
    readme = " ".join((ROOT / "README.md").read_text().split())
    said = r"with the clip; on cosine without it the effect is open: \d\.\d+ \((\d\.\d+) to (\d\.\d+)\)\."
    answered = re.search(said, readme)
    assert answered
    assert float(answered[1]) < 1 < float(answered[2])


def test_where_the_variance_comes_from() -> None:
    rows = artifacts.read_json(ROOT / "metrics" / "variance.json")["components"]
    share = {(row["schedule"], row["component"]): row["share"] for row in rows}
    size = {(row["schedule"], row["component"]): row["variance"] for row in rows}
    assert share["cosine", "training"] > 0.9
    assert min(share["linear", "sampling"], share["sigmoid", "sampling"]) > 0.5
    assert 0.5 < size["cosine", "rounding"] / size["cosine", "training"] < 2
    assert (
        "on cosine nearly all of the variance is between trainings; on linear and sigmoid the variance is" in FINDINGS
    )
    assert "on cosine it is of the order of the component of training" in FINDINGS
    sd, df = math.sqrt(size["cosine", "training"]), 2  # three trainings
    low, high = (math.exp(sd * math.sqrt(df / stats.chi2.ppf(tail, df))) for tail in (0.975, 0.025))
    assert f"a 95 % interval of cosine's training factor is {low:.2f} to {high:.1f}." in FINDINGS


def test_the_optimal_denoiser_and_rounding() -> None:
    ideal = {(row["schedule"], row["sampler"]): row for row in artifacts.read_csv(ROOT / "metrics" / "ideal.csv")}
    fid = {name: f"{ideal[name, 'ancestral']['fid']:.2f}" for name in ("linear", "cosine", "sigmoid")}
    assert {row["samples"] for row in ideal.values()} == {500}
    assert fid == {name: f"{ideal[name, 'clipped']['fid']:.2f}" for name in fid}
    assert f"is {fid['linear']} on linear, {fid['cosine']} on cosine and {fid['sigmoid']} on sigmoid (500" in FINDINGS
    rounding = artifacts.read_json(ROOT / "benchmarks" / "rounding.json")
    factors = rounding["factor"]
    assert f"(T = 50, 100, 200) by a factor of {factors['study']:.3f} (one standard deviation)" in FINDINGS
    (cell,) = (c for c in rounding["cells"] if (c["schedule"], c["T"]) == ("cosine", 50))
    told = f"would change them by {factors['bfloat16']:.3f}, and cosine's at T = 50 from {cell['study']:.2f} to"
    assert f"{told} {cell['bfloat16']:.2f} (" in FINDINGS


def test_the_extractors() -> None:
    summary, validation = (artifacts.read_json(ROOT / "metrics" / f"{name}.json") for name in ("summary", "validation"))
    assert validation["fid"]["not_monotone_in"] == []
    assert (validation["digits_distance"]["not_monotone_in"], len(validation["fid"]["monotone"])) == (["blur"], 8)
    accuracy = 100 * summary["classifier"]["test_accuracy"]
    findings_say(
        f"with {accuracy:.1f} % accuracy, does not detect the weakest blur",
        "with the severity of all eight corruptions",
    )
    taus = []
    for seed in SEEDS:
        rows = artifacts.read_csv(ROOT / "metrics" / "runs" / f"seed-{seed}" / "fid_of_T.csv")
        of_it = [row for row in rows if row["sampler"] == "ancestral"]
        assert len(of_it) == 15
        taus.append(kendall_tau(*([row[name] for row in of_it] for name in ("fid", "digits_distance"))))
    low_high = f"{min(taus):.2f} to {max(taus):.2f}"
    findings_say(f"the order of the 15 models: Kendall's tau is {low_high} (seeds 3 to {SEEDS[-1]}, without")
    says(f"orders the 15 models of a seed only roughly as FID does (Kendall's tau {low_high}, by seed)")


def test_methods() -> None:
    train, fid = PARAMS["train"], artifacts.read_json(ROOT / "metrics" / "summary.json")["measured_with"]
    network = create(PARAMS["network"], stream(0, "test"))
    millions = sum(weight.numel() for weight in network.parameters()) / 1e6
    says(
        f"U-Net with {millions:.2f} million parameters at 14 x 14",
        f"Muon with a peak learning rate of {train['muon_learning_rate']:g} for the hidden convolutions",
        f"Adam with {1000 * train['learning_rate']:g}e-3 for the other parameters, batch size {train['batch_size']}, "
        f"{train['epochs']} epochs of the {train['images']:,} training images",
        f"between {fid['samples']:,} samples and {fid['reference_images']:,} training images",
        f"`{fid['extractor']}`",
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_no_other_distance_is_quoted_by_hand(path: Any) -> None:
    """A new FID or ratio in the prose needs a test here, or a table of stages.tools.document."""
    numbers = set(re.findall(r"\b(\d+\.\d+) times|FIDs? (?:of|is|has)? ?(\d+\.\d+)", plain(str(path))))
    # tests of this file, of the other test_numbers have these
    known = {"0.39", "0.41", "0.50", "0.56", "0.59", "0.67", "0.70", "0.75", "0.89", "0.90"}
    known |= {"0.97", "0.98", "1.04", "1.07", "1.10", "1.13", "1.19", "1.26", "1.27", "1.35"}
    known |= {"1.37", "1.59", "1.64", "2.0", "2.93", "3.39", "9.64", "15.7", "18.3"}
    written = [row for name in ("amplified", "metrics") for row in table("docs/findings.md", name).values()]
    known |= {number for row in written for number in " ".join(row.values()).split()}
    assert {a or b for a, b in numbers} <= known
