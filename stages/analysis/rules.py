"""YAML that a person wrote (conf/claims.yaml, conf/comparisons.yaml) -> typed, validated rules."""

from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ddpm.errors import StudyError


class Rules(BaseModel):
    """What was fixed before the run: the measure, the sampler, the confidence, and each claim's threshold."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    sampler: str
    quality: str
    second_opinion: str
    claims: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]


Model = TypeVar("Model", bound=BaseModel)


def parse_yaml(model: type[Model], text: str, where: str) -> Model:
    """Validate YAML text as a model; StudyError that names the first wrong key."""
    try:
        return model.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise StudyError(f"not YAML: {' '.join(str(error).split())}", where=where, cure="correct it") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise StudyError(
            f"{key}: {first['msg']}, got {first['input']!r:.80}", where=where, cure="correct it"
        ) from error


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
