"""The table of the error that the first reverse step leaves, beside what the clip gains."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from stages.analysis.amplified import OURS, Model
from stages.analysis.tables import number

HEADER = [
    "Setting, schedule",
    "Models",
    "Gain of epsilon's error",
    "Error of x at t = T - 1",
    "FID, no clip",
    "Over FID with clip",
]


def _range(values: Iterable[float]) -> str:
    found = sorted(values)
    return " to ".join(dict.fromkeys(number(found[place]) for place in (0, -1))) if found else ""


def by_setting(models: Sequence[Model]) -> tuple[list[str], list[list[str]]]:
    """The lowest and the highest of the models of each setting and schedule, the largest errors last.

    Schedules whose first step does not amplify the error are there with this study's setting alone.

    Args:
        models: of all settings.

    Returns:
        The header and the rows of a table.
    """
    shown = [model for model in models if model.setting == OURS or model.gain > 1]
    groups = [list(group) for _, group in groupby(sorted(shown, key=_kind), key=_kind)]
    lines = []
    for group in sorted(groups, key=lambda group: max(model.error for model in group)):
        setting, schedule = _kind(group[0])
        gains = (model.fid / model.clipped_fid for model in group if model.clipped_fid is not None)
        lines.append(
            [
                f"{setting}, {schedule}",
                str(len(group)),
                _range(model.gain for model in group),
                _range(model.error for model in group),
                _range(model.fid for model in group),
                _range(gains),
            ]
        )
    return HEADER, lines


def _kind(model: Model) -> tuple[str, str]:
    return model.setting, model.schedule
