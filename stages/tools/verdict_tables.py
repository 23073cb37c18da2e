"""The claims in tables: the verdicts by network, and what was measured for each."""

import re
from collections.abc import Sequence

from stages.analysis.by_network import ENOUGH
from stages.analysis.ratios import metric_name, number_of_seeds
from stages.analysis.statistics import DECIDED
from stages.analysis.tables import Row, p_value

AS_TESTED = "The report's claim, as tested"
OURS = "This study's network"
MANY = 100  # seeds
Table = tuple[Sequence[str], list[list[str]]]  # a header and its rows


def _brief(needed: str) -> str:
    """How many seeds would decide, and how; an estimate above ``MANY`` tells little but that."""
    found = re.fullmatch(r"about ([\d,]+) seeds needed to (.*)", needed)
    if not found:
        return needed
    return f"over {MANY} seeds" if int(found[1].replace(",", "")) > MANY else f"about {found[1]} seeds to {found[2]}"


def _verdict(claim: Row, metric: str, brief: bool) -> str:
    """The verdict; in brackets how many seeds would decide, or how few there are, and the second metric's verdict.

    Not in brief, also the p-value of what is supported or refuted, after the correction; none of what is arithmetic.
    """
    verdict, second, needed = claim["verdict"], claim.get("second_opinion"), claim.get("seeds_needed")
    told = []
    if not brief and verdict in ("supported", "refuted") and claim.get("n", 0) > 1:
        told = [p_value(claim["adjusted_p"])]
    if verdict not in DECIDED and 0 < claim.get("n", 0) < ENOUGH:
        told = [number_of_seeds(claim["n"])]
    elif verdict not in DECIDED and needed is not None:
        told = [_brief(needed) if brief else needed]
    told += [f"{metric}: {second}"] if second not in (None, verdict) else []
    return (f"**{verdict}**" if verdict in DECIDED else verdict) + (f" ({'; '.join(told)})" if told else "")


def _sentence(claim: Row) -> str:
    """The claim's words, with a capital letter unless they begin with a symbol."""
    says = str(claim["says"])
    return says[:1].upper() + says[1:] if "_" not in says.split(maxsplit=1)[0] else says


def verdicts(claims: Row) -> Table:
    """A row a claim: its words, and a column of verdicts a network."""
    others, metric = claims["networks"], metric_name(claims["second_opinion"])
    rows = []
    for name, claim in claims["claims"].items():
        theirs = (other["claims"].get(name) for other in others.values())
        of_others = ("" if one is None else _verdict(one, metric, True) for one in theirs)
        rows.append([_sentence(claim), _verdict(claim, metric, True), *of_others])
    columns = (f"{name} (T = {', '.join(map(str, other['T']))})" for name, other in others.items())
    return [AS_TESTED, OURS, *columns], rows


def measured(claims: Row) -> Table:
    """A row a claim: its words, the verdict, and what was measured with this study's network."""
    rows, metric = [], metric_name(claims["second_opinion"])
    for claim in claims["claims"].values():
        shown = claim if "estimate" in claim or "exploratory" not in claim else claim["exploratory"]
        rows.append([_sentence(claim), _verdict(claim, metric, False), shown["plain"]])
    return [AS_TESTED, "Verdict", "Measured"], rows
