"""Wrong inputs, one by one: each ends in one line that says what and where, exit code 1, and nothing written."""

from pathlib import Path

import pytest

from ddpm import artifacts
from ddpm.errors import StudyError
from stages import train
from tests.conftest import edit_params
from tests.stage_runs import AXES, run
from tests.stages.wrong_inputs import CASES
from tests.stages.wrong_parameters import Case, table


def test_enough_of_them() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.module.__name__.split('.')[1]}: {case.says[:50]}")
def test_one_line_and_nothing_written(tiny_study: Path, case: Case) -> None:
    case.prepare()
    edit_params(tiny_study, **case.params)
    before = {path: path.read_bytes() for path in tiny_study.rglob("*") if path.is_file()}
    with pytest.raises(StudyError) as caught:
        run(case.module, *case.arguments)
    told = str(caught.value)
    assert case.says in told
    assert "\n" not in told
    assert len(told) < 400
    assert {path: path.read_bytes() for path in tiny_study.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "\t", "grid: 3", "grid: {T: 50}"])
def test_a_params_file_that_is_none(tiny_study: Path, text: str) -> None:
    Path("params.yaml").write_text(text)
    with pytest.raises(StudyError, match=r"params\.yaml: [^\n]+$"):
        run(train, *AXES)


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": Infinity}', "[" * 100_000, '{"a": 1', "\x00", ""])
def test_json_that_is_none(tiny_study: Path, text: str) -> None:
    Path("x.json").write_text(text)
    with pytest.raises(StudyError, match=r"x\.json: not JSON[^\n]*$"):
        artifacts.read_json(Path("x.json"))


def test_no_cuda_device(tiny_study: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one here")
    table()
    edit_params(tiny_study, compute={"device": "cuda"})
    with pytest.raises(StudyError, match="no CUDA device here; use auto or cpu"):
        run(train, *AXES)
