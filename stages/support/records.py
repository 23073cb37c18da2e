"""JSON objects that commands read, which a merge or an editor may have made other JSON."""

from pathlib import Path
from typing import Any

from ddpm import artifacts
from ddpm.errors import StudyError


def read_record(path: Path, *names: str, hint: str = artifacts.MADE_BY_DVC) -> dict[str, Any]:
    """A JSON object that has these names; StudyError with this hint when it is other JSON or lacks one."""
    found = artifacts.read_json(path)
    if not isinstance(found, dict):
        raise StudyError("not a JSON object", where=str(path), hint=hint)
    if absent := [name for name in names if name not in found]:
        raise StudyError(f"lacks {absent[0]!r}", where=str(path), hint=hint)
    return found
