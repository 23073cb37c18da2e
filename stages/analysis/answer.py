"""The answer in a few sentences, of which the tables and the verdicts decide the numbers and the words."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ddpm.errors import StudyError
from stages.analysis import points
from stages.analysis.ratios import logs_of
from stages.analysis.tables import SCHEDULES, Row, results

HERE = "this study's network"
NEEDED = (  # schedule and sampler of every cell that the answer names
    *((schedule, "ancestral") for schedule in SCHEDULES),
    ("cosine", "clipped"),
    ("cosine", "clipped-first"),
)


def lacking(rows: Sequence[Row], claims: Row) -> str:
    """What the answer needs and a study has not, such as ``a seed with ddim on cosine at all T``; empty if it has all.

    Args:
        rows: of the confirmatory seeds.
        claims: of metrics/claims.json.
    """
    if not rows:
        return "a confirmatory seed"
    table = results(rows)
    all_T, logs = table["T"].unique(), logs_of(table, "fid")
    of_kinds = {kind: [(*kind, T) for T in all_T] for kind in NEEDED}
    for (schedule, sampler), cells in of_kinds.items():
        if not {*cells} <= {*logs.columns} or logs[cells].dropna().empty:
            return f"a seed with {sampler} on {schedule} at all T"
    if logs[[cell for cells in of_kinds.values() for cell in cells]].dropna().empty:
        return "one seed with all of the cells"
    if claims["quality"] != "fid":
        return "claims on FID"
    untested = [name for name in ("cosine-worse", "one-step") if claims["claims"].get(name, {}).get("n", 0) == 0]
    return f"a verdict on {untested[0]}" if untested else ""


def _basis(study: points.Study) -> str:
    """What the numbers are."""
    real = f"real images have {study.table['fid_floor'].mean():.2f} (of the training set)"
    if "fid_test_images" in study.table and study.table["fid_test_images"].notna().any():
        real += f" and {study.table['fid_test_images'].mean():.2f} (of the test set)"
    over_T = ", and over T where none is named" if len(study.all_T) > 1 else ""
    means = f"geometric means over {study.seeds} training seeds{over_T}"
    of = f'{means}, with {100 * study.confidence:.0f} % confidence intervals; "open": the interval contains 1'
    return f"FID: lower is better; {real}; ratios: {of if study.seeds > 1 else 'of one training seed'}"


class Answer(NamedTuple):
    """What the numbers are, and what they say, a sentence or two a point."""

    basis: str
    points: list[str]


def answer(networks: Mapping[str, Sequence[Row]], schedules: Sequence[Row], claims: Row) -> Answer:
    """The answer to how the schedule and T decide the quality.

    Args:
        networks: name -> rows of the confirmatory seeds; ``HERE`` and those of conf/networks.yaml.
        schedules: of metrics/schedules.csv.
        claims: of metrics/claims.json.

    Raises:
        StudyError: the study lacks what the answer names.
    """
    if lack := lacking(networks[HERE], claims):
        raise StudyError(
            f"lacks {lack}, which the answer names",
            where="metrics/runs",
            hint="run `make campaign ONLY=seed-3` and `make campaign ONLY=first-step-3`",
        )
    study, verdicts = points.Study(networks[HERE], claims["confidence"]), claims["claims"]
    step = verdicts["one-step"]["verdict"]
    said = [
        points.lowest(networks, claims["confidence"]),
        points.cause(study, schedules, step),
        *points.of_T(study),
        points.worse(study, verdicts["cosine-worse"]),
        *points.elsewhere(claims["networks"], step),
    ]
    return Answer(_basis(study), said)
