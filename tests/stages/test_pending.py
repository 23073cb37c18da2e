"""From a dry run to the work of every cell."""

from stages._params import Grid
from stages.pending import targets

GRID = Grid(schedule=["linear", "linear-ho"], T=[50, 800], seed=[0], sampler=["ancestral", "clipped"])


def dry(*names: str) -> str:
    return "".join(f"Running stage '{name}':\n> python -m stages.x\n" for name in names)


def test_nothing_left() -> None:
    assert (
        targets(GRID, "Stage 'train@linear-50-0' didn't change, skipping\nData and pipelines are up to date.\n") == []
    )


def test_a_line_a_cell_in_order_of_dependence_longest_first() -> None:
    text = dry("fid@linear-50-0-clipped", "sample@linear-50-0-clipped", "embed@linear-50-0-clipped", "aggregate")
    text += dry("train@linear-ho-800-0", "sample@linear-ho-800-0-ancestral", "train@cosine-800-0")
    assert targets(GRID, text) == [
        ["train@linear-ho-800-0", "sample@linear-ho-800-0-ancestral"],
        ["sample@linear-50-0-clipped", "embed@linear-50-0-clipped", "fid@linear-50-0-clipped"],
    ]
