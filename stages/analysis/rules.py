"""YAML that a person wrote (conf/claims.yaml, conf/comparisons.yaml) -> typed, validated rules."""

from typing import Annotated, Any

from pydantic import Field

from ddpm.errors import StudyError
from stages.support.strict_yaml import Strict, parse_yaml


class Rules(Strict):
    """What was fixed before the run: the measure, the sampler, the confidence, and each claim's threshold."""

    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    sampler: str
    quality: str
    second_opinion: str
    claims: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]


def parse_rules(text: str, where: str) -> Rules:
    """Validate the text of a conf/claims.yaml; StudyError that names the first wrong key."""
    rules = parse_yaml(Rules, text, where)
    for name, rule in rules.claims.items():
        numbers = [key for key in rule if key != "says"]
        bad = [key for key in numbers if not isinstance(rule[key], int | float)]
        if "says" not in rule or not numbers or bad:
            raise StudyError(
                f"claims.{name} needs `says` and a threshold that is a number", where=where, cure="correct it"
            )
    return rules
