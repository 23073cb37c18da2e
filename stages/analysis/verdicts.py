"""From tables to verdicts: every claim of conf/claims.yaml, corrected together (Holm 1979)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ddpm.errors import StudyError
from stages.analysis import claims_on_models, claims_on_schedules, statistics
from stages.analysis.statistics import Verdict
from stages.analysis.tables import Finding, Rule, Tables

_ARITHMETIC: dict[str, Callable[[Tables, Rule], Finding]] = {
    "gaussian-end": claims_on_schedules.gaussian_end,
    "same-shape": claims_on_schedules.same_shape,
    "linear-abar": claims_on_schedules.linear_abar,
}
_LOSSES: dict[str, Callable[[Tables, Rule], Finding]] = {
    "loss-flat-in-T": claims_on_models.loss_flat_in_T,
    "sigmoid-loss": claims_on_models.sigmoid_loss,
}
_QUALITY: dict[str, Callable[[Tables, Rule], Finding]] = {
    "loss-not-quality": claims_on_models.loss_not_quality,
    "cosine-worse": claims_on_models.cosine_worse,
    "cosine-why": claims_on_models.cosine_why,
    "T-small-effect": claims_on_models.T_small_effect,
    "good-schedule-fewer-steps": claims_on_models.good_schedule_fewer_steps,
}
CLAIMS = _ARITHMETIC | _LOSSES | _QUALITY | {"n32-enough": claims_on_schedules.n32_enough}


@dataclass(frozen=True)
class Judgement:
    """One claim's verdict. ``finding`` is None where the grid lacks what the claim is about; ``plain`` says what."""

    claim: str
    says: str
    verdict: Verdict
    plain: str
    adjusted_p: float
    finding: Finding | None
    second_opinion: Verdict | None = None


def _findings(tables: Tables, rules: Mapping[str, Rule]) -> dict[str, Finding | str]:
    """Every claim's finding, or why there is none."""
    found: dict[str, Finding | str] = {}
    for name, rule in rules.items():
        if name not in CLAIMS:
            raise StudyError(f"there is no claim {name!r}", where="claims", cure=f"choose of {', '.join(CLAIMS)}")
        try:
            found[name] = CLAIMS[name](tables, rule)
        except StudyError as error:
            found[name] = error.what
        except KeyError as error:
            raise StudyError(f"claim {name} needs {error} in its rule", where="claims") from None
    return found


def judge(tables: Tables, rules: Mapping[str, Rule]) -> list[Judgement]:
    """Judge all claims on one measure of quality.

    Claims of arithmetic are exact; the p of all others are corrected together.

    Args:
        tables: the results.
        rules: claim -> its words (``says``) and thresholds, in the order to report.

    Raises:
        StudyError: a claim that does not exist, or a rule without its threshold.
    """
    found = _findings(tables, rules)
    chancy = {
        name: finding.evidence.p
        for name, finding in found.items()
        if isinstance(finding, Finding) and name not in _ARITHMETIC
    }
    adjusted = statistics.holm(chancy)
    judgements = []
    for name, finding in found.items():
        says = str(rules[name]["says"])
        if isinstance(finding, str):
            judgements.append(Judgement(name, says, "undecided", finding, 1.0, None))
            continue
        p = adjusted.get(name, 0.0)
        verdict = statistics.verdict(finding.evidence, p, tables.confidence)
        judgements.append(Judgement(name, says, verdict, finding.plain, p, finding))
    return judgements


def judge_twice(tables: Tables, second_quality: str, rules: Mapping[str, Rule]) -> list[Judgement]:
    """The verdicts, and beside each that depends on the measure of quality what the second measure would say."""
    other = {judgement.claim: judgement.verdict for judgement in judge(replace(tables, quality=second_quality), rules)}
    return [
        replace(judgement, second_opinion=other[judgement.claim]) if judgement.claim in _QUALITY else judgement
        for judgement in judge(tables, rules)
    ]
