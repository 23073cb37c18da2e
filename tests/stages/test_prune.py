"""Files of cells that the grid lacks leave the folders that later stages read as a whole; nothing else does."""

from pathlib import Path

import pytest

from ddpm import artifacts
from ddpm.errors import StudyError
from stages import prune
from stages.support import settings
from stages.support.cells import GRID, Cell
from tests.conftest import edit_params
from tests.stage_runs import run


def plant() -> set[Path]:
    every = prune.wanted(settings.load())
    for path in every:
        artifacts.write_bytes(path, b"x")
    return every


def files() -> set[Path]:
    return {path for path in Path("data").rglob("*") if path.is_file() and path != GRID}


def test_a_grid_that_is_whole_loses_nothing(tiny_study: Path) -> None:
    every = plant()
    before = files()
    assert every <= before
    run(prune)
    assert files() == before
    assert len(artifacts.read_json(GRID)) == 8


def test_what_another_seed_left_goes_and_its_model_stays(tiny_study: Path) -> None:
    edit_params(tiny_study, grid={"seed": [7]}, chains={"seed": 7})
    others = plant()
    model = Cell("linear", 20, 7).model
    artifacts.write_bytes(model, b"x")
    edit_params(tiny_study, grid={"seed": [0]}, chains={"seed": 0})
    ours = plant()
    raw = {path for path in files() if path.parts[1] == "raw"}
    run(prune)
    assert files() == ours | raw | {model}
    assert others - ours, "the two runs have no file of their own"


def test_dvcs_own_files_stay(tiny_study: Path) -> None:
    plant()
    hidden = Path("data/samples/.gitignore")
    artifacts.write_bytes(hidden, b"x")
    run(prune)
    assert hidden.exists()


def test_a_folder_that_no_stage_makes_is_left_and_named(tiny_study: Path) -> None:
    plant()
    artifacts.write_bytes(Path("data/samples/mine/x.npy"), b"x")
    with pytest.raises(StudyError, match=r"data/samples/mine: cannot remove: .*; move the folder away"):
        prune.main()
    assert Path("data/samples/mine/x.npy").exists()
