"""From tables to verdicts: every claim of conf/claims.yaml, with p-values adjusted together (Holm 1979)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ddpm.errors import StudyError
from stages.analysis import claims_on_models, claims_on_schedules, statistics
from stages.analysis.rules import ClaimRule
from stages.analysis.statistics import Verdict
from stages.analysis.tables import Finding, Tables


@dataclass(frozen=True)
class Claim:
    """How one claim is tested.

    Attributes:
        test: tables, threshold -> what was found.
        threshold: the threshold's name in conf/claims.yaml.
        exact: it is arithmetic and has no p-value.
        of_quality: it depends on the metric of quality.
    """

    test: Callable[[Tables, float], Finding]
    threshold: str
    exact: bool = False
    of_quality: bool = False


CLAIMS = {
    "gaussian-end": Claim(claims_on_schedules.gaussian_end, "sqrt_alpha_bar_T", exact=True),
    "same-shape": Claim(claims_on_schedules.same_shape, "sup_distance", exact=True),
    "linear-abar": Claim(claims_on_schedules.linear_abar, "r_squared", exact=True),
    "loss-flat-in-T": Claim(claims_on_models.loss_flat_in_T, "margin"),
    "sigmoid-loss": Claim(claims_on_models.sigmoid_loss, "slightly"),
    "loss-not-quality": Claim(claims_on_models.loss_not_quality, "tau", of_quality=True),
    "cosine-worse": Claim(claims_on_models.cosine_worse, "log_ratio", of_quality=True),
    "cosine-why": Claim(claims_on_models.cosine_why, "per_doubling", of_quality=True),
    "T-small-effect": Claim(claims_on_models.T_small_effect, "margin", of_quality=True),
    "good-schedule-fewer-steps": Claim(claims_on_models.good_schedule_fewer_steps, "not_inferior", of_quality=True),
    "n32-enough": Claim(claims_on_schedules.n32_enough, "tau"),
}


@dataclass(frozen=True)
class ClaimResult:
    """One claim's verdict. ``finding`` is None where the grid lacks what the claim is about; ``plain`` says what.

    ``second_opinion`` is the verdict by the second metric, for claims that depend on the metric of quality.
    """

    claim: str
    says: str
    verdict: Verdict
    plain: str
    adjusted_p: float
    finding: Finding | None
    second_opinion: Verdict | None = None

    def as_json(self) -> dict[str, Any]:
        """Its entry in claims.json; an interval without end is null."""
        found = {key: value for key, value in asdict(self).items() if key not in ("finding", "claim")}
        if self.finding is not None:
            evidence = asdict(self.finding.evidence)
            numbers = {key: value if math.isfinite(value) else None for key, value in evidence.items()}
            found |= numbers | {"quantity": self.finding.quantity, "details": self.finding.details}
        return found


def _finding(name: str, tables: Tables, rule: ClaimRule) -> Finding | str:
    """The result of testing one claim, or why it cannot be tested."""
    if name not in CLAIMS:
        raise StudyError(f"unknown claim {name!r}", where="claims", hint=f"choose one of {', '.join(CLAIMS)}")
    claim = CLAIMS[name]
    if set(rule.thresholds) != {claim.threshold}:
        given = ", ".join(rule.thresholds) or "none"
        raise StudyError(f"claim {name} takes one threshold, {claim.threshold!r}, not {given}", where="claims")
    try:
        return claim.test(tables, rule.thresholds[claim.threshold])
    except StudyError as error:
        return error.what


def verdicts_on(tables: Tables, rules: Mapping[str, ClaimRule]) -> list[ClaimResult]:
    """The verdicts on all claims by one metric of quality.

    Claims of arithmetic are exact; the p-values of all others are adjusted together.

    Args:
        tables: the results.
        rules: claim -> its words and threshold, in the order to report.

    Raises:
        StudyError: an unknown claim, or a rule without its threshold.
    """
    found = {name: _finding(name, tables, rule) for name, rule in rules.items()}
    p_values = {
        name: finding.evidence.p
        for name, finding in found.items()
        if isinstance(finding, Finding) and not CLAIMS[name].exact
    }
    adjusted = statistics.holm(p_values)
    results = []
    for name, finding in found.items():
        says = rules[name].says
        if isinstance(finding, str):
            results.append(ClaimResult(name, says, "undecided", finding, 1.0, None))
            continue
        p = adjusted.get(name, 0.0)
        verdict = statistics.verdict(finding.evidence, p, tables.confidence)
        results.append(ClaimResult(name, says, verdict, finding.plain, p, finding))
    return results


def verdicts_by_both_metrics(tables: Tables, second_quality: str, rules: Mapping[str, ClaimRule]) -> list[ClaimResult]:
    """The verdicts, and beside each that depends on the metric of quality the verdict by the second metric."""
    second = {result.claim: result.verdict for result in verdicts_on(replace(tables, quality=second_quality), rules)}
    return [
        replace(result, second_opinion=second[result.claim]) if CLAIMS[result.claim].of_quality else result
        for result in verdicts_on(tables, rules)
    ]
