"""The verdicts by network, and what was measured, a row a claim."""

from typing import Any

from stages.tools import verdict_tables


def claim(verdict: str, **more: Any) -> dict[str, Any]:
    return {"says": "cosine is worse", "verdict": verdict, "plain": f"{verdict} by 1.5", **more}


CLAIMS: dict[str, Any] = {
    "second_opinion": "digits_distance",
    "claims": {
        "a": claim("supported", estimate=1.0),
        "b": claim(
            "undecided", seeds_needed="about 12 seeds needed to refute it", exploratory={"plain": "known seeds say 1.1"}
        ),
        "e": claim(
            "undecided", seeds_needed="about 12 seeds needed to refute it", estimate=1.0, n=2, second_opinion="refuted"
        ),
        "f": claim("supported", estimate=1.0, n=5, second_opinion="supported", adjusted_p=0.012),
        "c": claim("refuted", estimate=0.0) | {"says": "beta_max is small"},
        "d": claim("supported", estimate=0.9, adjusted_p=0.0),  # arithmetic
    },
    "networks": {
        "other": {
            "T": [50, 200],
            "claims": {
                "a": claim("refuted"),
                "b": claim("on the threshold"),
                "c": claim("not tested"),
                "d": claim("undecided", seeds_needed="its premise is contradicted by the estimate", n=3),
                "f": claim("undecided", n=1, estimate=1.0),
                "e": claim("undecided", seeds_needed="about 1,100 seeds needed to refute it", n=3),
            },
        }
    },
}


def test_a_column_a_network_and_what_would_decide() -> None:
    header, rows = verdict_tables.verdicts(CLAIMS)
    assert header == [verdict_tables.AS_TESTED, "This study's network", "other (T = 50, 200)"]
    assert rows == [
        ["Cosine is worse", "**supported**", "**refuted**"],
        ["Cosine is worse", "undecided (about 12 seeds to refute it)", "**on the threshold**"],
        ["Cosine is worse", "undecided (2 seeds; digit classifier: refuted)", "undecided (over 100 seeds)"],
        ["Cosine is worse", "**supported**", "undecided (1 seed)"],
        ["beta_max is small", "**refuted**", "not tested"],
        ["Cosine is worse", "**supported**", "undecided (its premise is contradicted by the estimate)"],
    ]


def test_what_was_measured_of_the_exploratory_seeds_where_there_are_no_others() -> None:
    header, rows = verdict_tables.measured(CLAIMS)
    assert header == [verdict_tables.AS_TESTED, "Verdict", "Measured"]
    assert rows == [
        ["Cosine is worse", "**supported**", "supported by 1.5"],
        ["Cosine is worse", "undecided (about 12 seeds needed to refute it)", "known seeds say 1.1"],
        ["Cosine is worse", "undecided (2 seeds; digit classifier: refuted)", "undecided by 1.5"],
        ["Cosine is worse", "**supported** (p = 0.012)", "supported by 1.5"],
        ["beta_max is small", "**refuted**", "refuted by 1.5"],
        ["Cosine is worse", "**supported**", "supported by 1.5"],
    ]


def test_the_second_metric_has_its_name() -> None:
    _, rows = verdict_tables.measured(CLAIMS | {"second_opinion": "kid"})
    assert rows[2][1] == "undecided (2 seeds; KID: refuted)"
