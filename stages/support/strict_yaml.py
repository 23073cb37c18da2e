"""YAML that a person wrote (params.yaml, files in conf/) -> typed, validated models.

Read by DVC's reader, so that DVC and the stages see the same values: 2e-2 is a number, which YAML 1.1 takes for text.
"""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support.masking import mask


class Strict(BaseModel):
    """Unknown keys, NaN and infinity are errors; models are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


TAGS = ("own", "guest")  # of network's two forms, which pydantic includes in the location of an error
Model = TypeVar("Model", bound=BaseModel)


def read_yaml(model: type[Model], path: Path) -> Model:
    """Read and validate a YAML file of the repository; StudyError that says what to correct, or to restore it."""
    return parse_yaml(model, artifacts.read_text(path, "restore it from Git"), str(path))


def parse_yaml(model: type[Model], text: str, where: str, *, hint: str = "correct it") -> Model:
    """Validate YAML text as a model; StudyError that names the first wrong key."""
    try:
        values = YAML(typ="safe").load(text)
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that does not exist, and the like
        raise StudyError(f"not YAML: {mask(' '.join(str(error).split()))[:200]}", where=where, hint=hint) from error
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first, count = error.errors()[0], error.error_count()
        key = ".".join(str(part) for part in first["loc"] if part not in TAGS) or "the file"
        got = mask(repr(first["input"]))  # before it is cut, so that no half of an address is left
        more = f" (and {count - 1} more)" if count > 1 else ""
        raise StudyError(f"{key}: {first['msg']}, got {got:.80}{more}", where=where, hint=hint) from error
