"""benchmarks.rounding samples as the stage does, but for the precision. Here, where a finished tiny study is."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import rounding
from ddpm import artifacts
from ddpm.core.device import choose
from ddpm.errors import StudyError
from stages.support import settings
from stages.support.cells import Cell
from tests.conftest import edit_params


def test_in_the_usual_precision_the_images_are_the_stages(whole_grid: Path) -> None:
    cell = Cell("linear", 20, 0)  # no step of linear amplifies rounding, so that all run in one precision
    dtype = choose(**settings.load().compute.model_dump())[1]
    images = rounding.sample(cell, dtype).squeeze(1).numpy()
    np.testing.assert_array_equal(images, artifacts.read_npy(cell.samples("ancestral")))


def test_where_the_study_is_in_float32_there_is_nothing_to_compare(tiny_study: Path) -> None:
    edit_params(tiny_study, compute={"precision": "float32"})
    with pytest.raises(StudyError, match=r"compute\.precision: the study computes in float32 here"):
        rounding.main()
