"""The points of the answer: numbers and words are those of the rows and verdicts."""

import math
import re
from typing import Any

import numpy as np
import pytest

from tests.stages.analysis.planted_fids import ALL_T, CLAIM, CLAIMS, FACTOR, SUPPORTED, expected, fids, said, study


def test_the_cause_has_the_ratios_before_and_after() -> None:
    table = study(3, 4, 5)
    linear = fids(table, "linear", "ancestral", *ALL_T)
    whole, first = (fids(table, "cosine", sampler, *ALL_T) for sampler in ("ancestral", "clipped-first"))
    assert (
        f"Without the clip, cosine's FID is {expected(whole, linear, ' times')} linear's because of its first reverse "
        "step, which multiplies the network's error by 100 at every T: with x_0 clipped in that step alone it is "
        f"{expected(first, linear, ' times')} linear's."
    ) in said(table)
    fewer = [row for row in table if row["seed"] < 5 or row["sampler"] != "clipped-first"]
    of_two = expected(first[:2], linear[:2], " times").replace(")", "; 2 seeds)")
    assert f"in that step alone it is {of_two} linear's" in said(fewer)
    two = [{"schedule": "cosine", "error_gain": gain} for gain in (100.0, 31.6, None, 31.6)]
    assert "the network's error by 31.6 to infinity: with x_0" in said(table, audit=two)


@pytest.mark.parametrize("broken", ["no verdict", "on the threshold", "cosine no worse", "not repaired"])
def test_no_cause_is_named_without_all_of_its_evidence(broken: str) -> None:
    table, verdict = study(3, 4, 5), {"no verdict": "undecided"}.get(broken, broken)
    step = {"verdict": "supported" if broken.endswith(("worse", "repaired")) else verdict, "n": 3}
    factor = {"cosine no worse": ("ancestral", 0.33), "not repaired": ("clipped-first", 2.0)}.get(broken, ("", 1.0))
    table = [
        row | {"fid": row["fid"] * (factor[1] if (row["schedule"], row["sampler"]) == ("cosine", factor[0]) else 1)}
        for row in table
    ]
    text = said(table, claims=CLAIMS | {"claims": CLAIMS["claims"] | {"one-step": step}})
    assert "because of" not in text
    assert "with x_0 clipped in its first reverse step alone, which multiplies the network's error by" in text


def test_what_more_steps_do_has_the_ratios() -> None:
    table = study(3, 4, 5)
    kinds = (("linear", "ancestral"), ("sigmoid", "ancestral"), ("cosine", "clipped"), ("cosine", "ancestral"))
    linear, sigmoid, clipped, without = (expected(fids(table, *kind, 800), fids(table, *kind, 50)) for kind in kinds)
    assert (
        "More steps raise FID with this study's network: T = 800 in place of 50, in training and sampling, multiplies "
        f"it by {linear} on linear, {sigmoid} on sigmoid and {clipped} on cosine with the clip; "
        f"{without} on cosine without it. By a digit classifier no rise is seen. Without"
    ) in said(table)
    seen = [row | {"digits_distance": row["fid"]} for row in table]
    assert f"{without} on cosine without it. Without" in said(seen)
    partly = [row if row["schedule"] != "cosine" else row | {"digits_distance": row["fid"]} for row in table]
    assert f"{without} on cosine without it. Without" in said(partly)


def test_whether_more_steps_help_is_said_where_the_seeds_tell() -> None:
    for schedule in ("linear", "sigmoid", "cosine"):
        for factor in (0.5, 1.0):
            text = said(study(3, 4, 5, **{schedule: factor}))
            assert "Raising T from 50 to 800, in training and sampling, multiplies FID by" in text, (schedule, factor)
    assert re.search(r"; on cosine without it the effect is open: \d\.\d\d \(", said(study(3, 4, 5, cosine=1.0)))
    assert "on cosine without it. Without" in said(study(3, 4, 5, cosine=0.5))
    better = [
        row | {"fid": 0.2 * row["fid"]} if without_clip(row) and row["T"] == 800 else row for row in study(3, 4, 5)
    ]
    assert "sampling, multiplies FID by" in said(better), "cosine without the clip becomes better"
    assert re.search(r"sampling, multiplies FID by \d\.\d\d on linear, ", said(study(3))), "no interval, no conclusion"
    one_T = [row for row in study(3, 4, 5) if row["T"] == 200]
    assert "in training and sampling" not in said(one_T)


def without_clip(row: dict[str, Any]) -> bool:
    return bool(row["schedule"] == "cosine" and row["sampler"] == "ancestral")


def test_cosine_and_sigmoid_are_compared_by_both_distances() -> None:
    table = study(3, 4, 5)
    assert "cosine's FID is 1.50 times sigmoid's, which leaves open whether cosine is worse here by FID; by KID, " in (
        said(table)
    )
    by_digits = "and by a digit classifier, 1.00 times, this is open."
    assert f"; by KID, 1.50 times, {by_digits}" in said(table)
    one_seed = [row | {"kid": -1.0 if row["seed"] > 3 else row["kid"]} for row in table]
    assert f"; by KID, 1.50 times (1 seed), {by_digits}" in said(one_seed)
    assert "KID" not in said([row | {"kid": -1.0} for row in table])
    cosine, sigmoid = (fids(table, schedule, "clipped", *ALL_T) for schedule in ("cosine", "sigmoid"))
    assert f"this is open. With the clip it is {expected(cosine, sigmoid, ' times')}." in said(table)
    unclipped = [row for row in table if (row["schedule"], row["sampler"]) != ("sigmoid", "clipped")]
    assert "With the clip it is" not in said(unclipped)


@pytest.mark.parametrize(("factor", "says"), [(1.2, "cosine is worse"), (0.8, "cosine is better"), (1, "this is open")])
def test_a_metric_says_what_its_interval_does(factor: float, says: str) -> None:
    table = study(3, 4, 5)
    for row, noise in zip(table, np.random.default_rng(3).normal(scale=0.01, size=len(table)), strict=True):
        scatter = math.exp(noise)
        row |= {"kid": -1.0, "digits_distance": scatter * (factor if row["schedule"] == "cosine" else 1)}
    times = r"\d\.\d\d times \(\d\.\d\d to \d\.\d\d\)"
    assert re.search(rf" here by FID; by a digit classifier, {times}, {says}\.", said(table))


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        (SUPPORTED, "1.50 times (1.20 to 1.80) sigmoid's, so cosine is worse here by FID"),
        (SUPPORTED | {"verdict": "refuted"}, "sigmoid's, which leaves open whether cosine is worse here by FID"),
        (SUPPORTED | {"verdict": "on the threshold"}, "sigmoid's, which leaves open whether cosine is worse here"),
        (
            {"n": 3, "verdict": "refuted", "estimate": -0.5, "low": -0.6, "high": -0.4},
            "0.61 times (0.55 to 0.67) sigmoid's, so cosine is not worse here by FID",
        ),
    ],
)
def test_a_verdict_that_the_loss_decides_is_none_on_fid(claim: dict[str, Any], says: str) -> None:
    assert says in said(study(3, 4, 5), claims=CLAIMS | {"claims": CLAIMS["claims"] | {"cosine-worse": claim}})


def test_other_networks_are_said_by_their_verdicts() -> None:
    there = {"verdict": "supported", "estimate": math.log(18), "low": math.log(9), "high": math.log(36), "n": 3}
    found: dict[str, Any] = {"a": {"cosine-worse": there}, "b": {"cosine-worse": CLAIM | {"n": 2}}, "c": {}}
    found["d"] = {"cosine-worse": {"verdict": "not tested", "n": 0}}
    networks = {name: {"claims": claims, "T": [50, 200]} for name, claims in found.items()}
    text = said(study(3, 4, 5), claims=CLAIMS | {"networks": networks})
    assert text.endswith(
        "With a (T = 50, 200; 3 seeds), cosine's FID is 18.0 times (9.00 to 36.0) sigmoid's, so cosine is worse there; "
        "with b (T = 50, 200; 2 seeds), it is 1.50 times, which leaves open whether cosine is worse there."
    )
    found["a"]["one-step"] = {"verdict": "supported"}
    explains = " With a, the first reverse step alone explains the clip's gain"
    assert said(study(3, 4, 5), claims=CLAIMS | {"networks": networks}).endswith(f"{explains}, too.")
    unsure = {"claims": CLAIMS["claims"] | {"one-step": {"verdict": "undecided", "n": 3}}}
    assert said(study(3, 4, 5), claims=CLAIMS | {"networks": networks} | unsure).endswith(f"{explains}.")
    found["b"]["one-step"] = {"verdict": "supported"}
    assert " With both, the first reverse step" in said(study(3), claims=CLAIMS | {"networks": networks})
    found["e"] = {"cosine-worse": there}
    three = networks | {"e": {"claims": found["e"], "T": [50]}}
    assert " With a and with b, the first reverse step" in said(study(3), claims=CLAIMS | {"networks": three})


EVERYWHERE = "Without the clip, the linear schedule has the lowest FID with each network below."


def test_the_lowest_schedule_is_that_of_each_network() -> None:
    three = study(3, 4, 5)
    assert EVERYWHERE in said(three)
    no_sigmoid = [row for row in three if row["schedule"] != "sigmoid"]
    cosine_only = [row | {"fid": 0.1} for row in three if row["schedule"] == "cosine"]
    assert EVERYWHERE in said(three, partial=no_sigmoid, alone=cosine_only), "only networks with all schedules"
    apart = [row for row in three if row["schedule"] == [*FACTOR][row["seed"] - 3]]
    assert EVERYWHERE in said(three, apart=[row | {"fid": 1 / row["fid"]} for row in apart])
    clipped = [row | {"fid": 0.01} if row["sampler"] == "clipped" else row for row in three]
    assert EVERYWHERE in said(three, clipped=clipped)
    fewer_T = [row for row in three if row["T"] == 50 or row["seed"] == 3]
    assert EVERYWHERE in said(three, fewer_T=fewer_T), "each seed by the T that it has"
    other = [row | {"fid": 0.1 * row["fid"]} if row["schedule"] == "cosine" else row for row in three]
    depends = (
        "Which schedule has the lowest FID without the clip depends on the network: linear has it with this study's"
    )
    assert f"{depends} network and with b, cosine has it with a. Without" in said(three, a=other, b=clipped)
    left_open = "with b linear has the lowest mean, but that is open"
    assert f"{depends} network, cosine has it with a; {left_open}. Without" in said(three, a=other, b=study(3))


@pytest.mark.parametrize(("schedule", "fid"), [("cosine", 0.001), ("linear", 5.0), ("sigmoid", 0.5)])
def test_one_seed_that_differs_leaves_the_lowest_open(schedule: str, fid: float) -> None:
    """A much better cosine or sigmoid, or a much worse linear, in one seed of three."""
    three = study(3, 4, 5)
    differs = [row | {"fid": fid} if (row["schedule"], row["seed"]) == (schedule, 3) else row for row in three]
    best = schedule if schedule == "cosine" else "linear"
    which = "Which schedule has the lowest FID without the clip"
    among = {
        "linear": "Without the clip, linear has the lowest FID; that is open only with other (its mean is lowest). ",
        "cosine": f"{which} depends on the network: linear has it with this study's network; with other cosine has the "
        "lowest mean, but that is open. ",
    }
    assert among[best] in said(three, other=differs)
    alone = f"{which} is open; with this study's network {best} has the lowest mean, but that is open. "
    assert alone in said(differs)
