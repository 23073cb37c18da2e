"""From a dry run to the work of every cell."""

from stages._params import Grid
from stages.pending import pending

GRID = Grid(schedule=["linear", "linear-ho"], T=[50, 800], seed=[0], sampler=["ancestral", "clipped"])


def dry(*names: str) -> str:
    return "".join(f"Running stage '{name}':\n> python -m stages.x\n" for name in names)


def test_nothing_left() -> None:
    assert (
        pending(GRID, "Stage 'train@linear-50-0' didn't change, skipping\nData and pipelines are up to date.\n") == []
    )


def test_all_that_follows_what_is_left_longest_cell_first() -> None:
    text = dry("embed@linear-50-0-clipped", "aggregate", "train@linear-ho-800-0", "train@cosine-800-0")
    assert pending(GRID, text) == [
        [
            "train@linear-ho-800-0",
            "heldout@linear-ho-800-0",
            *(f"{stage}@linear-ho-800-0-{m}" for m in ("ancestral", "clipped") for stage in ("sample", "embed", "fid")),
        ],
        ["embed@linear-50-0-clipped", "fid@linear-50-0-clipped"],
    ]
