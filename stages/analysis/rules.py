"""conf/claims.yaml, fixed before the confirmatory seeds were run, and conf/comparisons.yaml, validated."""

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StrictFloat, StrictInt, StrictStr

from ddpm.errors import StudyError
from stages.support.strict_yaml import Strict

Confidence = Annotated[float, Field(gt=0.5, lt=1)]


class ClaimRule(Strict):
    """One claim: its words, its threshold under a name of its own, such as ``margin: 0.05``, and what is narrow.

    ``narrow`` is the widest interval, in units of the claim's quantity, that is on the threshold when it holds it.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, StrictFloat] = Field(init=False)

    says: StrictStr
    narrow: Annotated[StrictFloat, Field(gt=0)] | None = None

    @property
    def thresholds(self) -> dict[str, float]:
        """Name -> value; ``stages.analysis.verdicts.CLAIMS`` says which name each claim needs."""
        return dict(self.__pydantic_extra__)


class Rules(Strict):
    """Metric of quality, sampler, confidence and seeds of the verdicts, and each claim's threshold.

    ``fixed_at`` names the last commit before the thresholds were fixed: a file cannot hold the hash of its own commit.
    """

    confidence: Confidence
    first_confirmatory_seed: Annotated[StrictInt, Field(ge=0)]
    fixed_at: Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{7,40}$")]
    sampler: str
    quality: str
    second_opinion: str
    claims: Annotated[dict[str, ClaimRule], Field(min_length=1)]


class Change(Strict):
    """One change: the same names before and after, with the values of either side."""

    before: Annotated[dict[str, Any], Field(min_length=1)]
    after: Annotated[dict[str, Any], Field(min_length=1)]


class Changes(Strict):
    """The changes to compare, the metric, and the confidence of intervals and verdicts."""

    confidence: Confidence
    quality: str
    changes: Annotated[dict[str, Change], Field(min_length=1)]


def check_names(changes: Changes, known: set[str], schedules: Collection[str], where: str) -> None:
    """StudyError that names the first change that cannot be compared.

    Args:
        changes: of conf/comparisons.yaml.
        known: axes and parameters that a change may name.
        schedules: names that a schedule may have.
        where: the file, for errors.
    """
    for name, change in changes.changes.items():
        wrong = sorted(set(change.before) - known) or sorted(set(change.before) ^ set(change.after))
        if wrong:
            hint = "both sides name the same axes (schedule, T, sampler) or parameters (network.attention)"
            raise StudyError(f"changes.{name}: {wrong[0]} cannot be compared", where=where, hint=hint)
        if change.before == change.after:
            raise StudyError(f"changes.{name}: before and after are the same", where=where, hint="correct one")
        named = [side["schedule"] for side in (change.before, change.after) if "schedule" in side]
        if other := [str(schedule) for schedule in named if schedule not in schedules]:
            hint = f"choose one of {', '.join(schedules)}"
            raise StudyError(f"changes.{name}: unknown schedule {other[0]!r}", where=where, hint=hint)
