"""From tables to verdicts: every claim of conf/claims.yaml, with p-values adjusted together (Holm 1979)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ddpm.errors import StudyError
from stages.analysis import (
    claims_on_losses,
    claims_on_quality,
    claims_on_schedules,
    claims_on_the_first_step,
    statistics,
)
from stages.analysis.power import MOST, holds, seeds_needed
from stages.analysis.rules import ClaimRule, Rules
from stages.analysis.statistics import Evidence, Part, Verdict
from stages.analysis.tables import Finding, Tables


@dataclass(frozen=True)
class Claim:
    """How one claim is tested.

    Attributes:
        test: tables, threshold -> what was found.
        threshold: the threshold's name in conf/claims.yaml.
        least, most: what it may be.
        exact: it is arithmetic and has no p-value.
        of_quality: it depends on the metric of quality.
    """

    test: Callable[[Tables, float], Finding]
    threshold: str
    least: float = -math.inf
    most: float = math.inf
    exact: bool = False
    of_quality: bool = False


CLAIMS = {
    "cosine-worse": Claim(claims_on_quality.cosine_worse, "log_ratio", of_quality=True),
    "cosine-why": Claim(claims_on_quality.cosine_why, "per_doubling", of_quality=True),
    "one-step": Claim(claims_on_the_first_step.one_step, "share", 0, 1, of_quality=True),
    "T-small-effect": Claim(claims_on_quality.T_small_effect, "margin", 0, of_quality=True),
    "good-schedule-fewer-steps": Claim(claims_on_quality.good_schedule_fewer_steps, "not_inferior", 0, of_quality=True),
    "loss-not-quality": Claim(claims_on_losses.loss_not_quality, "tau", 0, 1, of_quality=True),
    "sigmoid-loss": Claim(claims_on_losses.sigmoid_loss, "slightly", 0),
    "loss-flat-in-T": Claim(claims_on_losses.loss_flat_in_T, "margin", 0),
    "n32-enough": Claim(claims_on_quality.n32_enough, "behind"),
    "gaussian-end": Claim(claims_on_schedules.gaussian_end, "sqrt_alpha_bar_T", 0, 1, exact=True),
    "same-shape": Claim(claims_on_schedules.same_shape, "sup_distance", 0, 1, exact=True),
    "linear-abar": Claim(claims_on_schedules.linear_abar, "r_squared", 0, 1, exact=True),
}
NUMBERS = ("estimate", "low", "high", "p_for", "p_against", "n")
FEW = 6  # parts of a claim that a reader looks at one by one
NO_SEEDS = "no confirmatory seeds yet"


def _part_as_json(part: Part) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in asdict(part).items()}


@dataclass(frozen=True)
class ClaimResult:
    """One claim's verdict. ``finding`` is None where it is "not tested"; ``plain`` says what the grid lacks.

    ``second_opinion`` is the verdict by the second metric, for claims that depend on the metric of quality;
    ``seeds_needed`` says how many seeds would decide, and how, with 80 % power after the correction, by the estimate
    and scatter of these seeds, or else of the exploratory ones; None without scatter. ``exploratory`` is the same test
    on the seeds that were known when the thresholds were fixed.
    """

    claim: str
    says: str
    verdict: Verdict
    plain: str
    adjusted_p: float
    finding: Finding | None
    second_opinion: Verdict | None = None
    seeds_needed: str | None = None
    exploratory: "ClaimResult | None" = None

    def as_json(self) -> dict[str, Any]:
        """Its entry in claims.json; an interval without end is null, and a detail that is no number is left out."""
        names = ("says", "verdict", "plain", "adjusted_p", "second_opinion", "seeds_needed")
        found = {name: getattr(self, name) for name in names}
        if self.finding is not None:
            evidence = {name: getattr(self.finding.evidence, name) for name in NUMBERS}
            numbers = {key: value if math.isfinite(value) else None for key, value in evidence.items()}
            details = {key: value for key, value in self.finding.details.items() if math.isfinite(value)}
            found |= numbers | {"quantity": self.finding.quantity, "details": details}
            parts = self.finding.evidence.parts
            if len(parts) <= FEW:
                found["parts"] = [_part_as_json(part) for part in parts]
        if self.exploratory is not None:
            found["exploratory"] = self.exploratory.as_json()
        return found


def _finding(name: str, tables: Tables, rule: ClaimRule) -> Finding | str:
    """The result of testing one claim, or why it cannot be tested."""
    if name not in CLAIMS:
        raise StudyError(f"unknown claim {name!r}", where="claims", hint=f"choose one of {', '.join(CLAIMS)}")
    claim = CLAIMS[name]
    if set(rule.thresholds) != {claim.threshold}:
        given = ", ".join(rule.thresholds) or "none"
        raise StudyError(f"claim {name} takes one threshold, {claim.threshold!r}, not {given}", where="claims")
    threshold = rule.thresholds[claim.threshold]
    if not claim.least <= threshold <= claim.most:
        needed = f"at least {claim.least:g}" + (f" and at most {claim.most:g}" if claim.most < math.inf else "")
        raise StudyError(f"claim {name}: {claim.threshold} must be {needed}, not {threshold:g}", where="claims")
    try:
        return claim.test(tables, threshold)
    except StudyError as error:
        return error.what


def _needed(evidence: Evidence, verdict: Verdict, claims: int, confidence: float, narrow: float) -> str | None:
    if not evidence.parts or evidence.n < 2:
        return None
    more_than = 1 if verdict in statistics.DECIDED else evidence.n
    if not all(holds(part) for part in evidence.given):
        return "its premise is contradicted by the estimate"
    found = seeds_needed(evidence, claims, confidence, narrow, more_than)
    return f"more than {MOST:,} seeds needed" if found is None else f"about {found[0]} seeds needed to {found[1]}"


def verdicts_on(
    tables: Tables, rules: Mapping[str, ClaimRule], known: Mapping[str, Finding | str] | None = None
) -> list[ClaimResult]:
    """The verdicts on all claims by one metric of quality.

    Claims of arithmetic are exact; the p-values of all others are adjusted together. A claim that cannot be tested yet
    counts in the correction with p = 1, so that the other verdicts do not change once it can.

    Args:
        tables: the results.
        rules: claim -> its words and threshold, in the order to report.
        known: what was found for claims that need no further test.

    Raises:
        StudyError: an unknown claim, or a rule without its threshold.
    """
    known = known or {}
    found = {name: known[name] if name in known else _finding(name, tables, rule) for name, rule in rules.items()}
    p_values = {
        name: finding.evidence.p if isinstance(finding, Finding) else 1.0
        for name, finding in found.items()
        if not CLAIMS[name].exact
    }
    adjusted = statistics.holm(p_values)
    results = []
    for name, finding in found.items():
        says = rules[name].says
        if isinstance(finding, str):
            results.append(ClaimResult(name, says, "not tested", finding, 1.0, None))
            continue
        p = adjusted.get(name, 0.0)
        narrow = rules[name].narrow or 0.0
        verdict = statistics.verdict(finding.evidence, p, tables.confidence, narrow)
        needed = _needed(finding.evidence, verdict, len(p_values), tables.confidence, narrow)
        results.append(ClaimResult(name, says, verdict, finding.plain, p, finding, seeds_needed=needed))
    return results


def verdicts_by_both_metrics(tables: Tables, second_quality: str, rules: Mapping[str, ClaimRule]) -> list[ClaimResult]:
    """The verdicts, and beside each that depends on the metric of quality the verdict by the second metric."""
    first = verdicts_on(tables, rules)
    known = {found.claim: found.finding or found.plain for found in first if not CLAIMS[found.claim].of_quality}
    again = verdicts_on(replace(tables, quality=second_quality), rules, known)
    second = {found.claim: found.verdict for found in again if CLAIMS[found.claim].of_quality}
    return [replace(found, second_opinion=second.get(found.claim)) for found in first]


def _without_seeds(claim: str, exploratory: ClaimResult) -> ClaimResult:
    """The verdict where there is no confirmatory seed: arithmetic needs none, no other claim is tested."""
    if CLAIMS[claim].exact:
        return exploratory
    return ClaimResult(claim, exploratory.says, "not tested", NO_SEEDS, 1.0, None)


def confirmatory(tables: Tables, rules: Rules) -> list[ClaimResult]:
    """The verdicts by the confirmatory seeds alone, each with the same test on the exploratory seeds beside it."""
    first = rules.first_confirmatory_seed
    early, late = tables.of_seeds(0, first - 1), tables.of_seeds(first)
    shown = {}
    if early.seeds:
        shown = {found.claim: found for found in verdicts_by_both_metrics(early, rules.second_opinion, rules.claims)}
    if late.seeds:
        results = verdicts_by_both_metrics(late, rules.second_opinion, rules.claims)
    else:
        results = [_without_seeds(claim, found) for claim, found in shown.items()]
    complete = []
    for found in results:
        exploratory = None if CLAIMS[found.claim].exact else shown.get(found.claim)
        needed = found.seeds_needed
        # without two confirmatory seeds the scatter is that of the exploratory ones
        open_yet = exploratory is not None and exploratory.verdict != "on the threshold"
        if needed is None and exploratory and open_yet and (found.finding is None or found.finding.evidence.n < 2):
            needed = exploratory.seeds_needed
        complete.append(replace(found, seeds_needed=needed, exploratory=exploratory))
    return complete
