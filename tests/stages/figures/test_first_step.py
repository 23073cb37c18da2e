"""Figures of the first reverse step: every sampler in its row, and every model at the error that the step leaves."""

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from ddpm.sampling.samplers import SAMPLERS
from stages import chains
from stages.analysis import claims_on_the_first_step
from stages.analysis.amplified import Model
from stages.figures import first_step
from stages.figures.plots import tile

MODELS = [
    Model("this study's", "linear", 50, 0, 0.2, 0.01, 34.0, 0.9, 0.9),
    Model("this study's", "cosine", 50, 0, 100.0, 1.1, 60.0, 3.0, 1.0),
    Model("v", "cosine", 50, 0, 100.0, 0.02, 33.0, 0.7, None),
]


def test_the_figure_has_the_samplers_that_are_recorded() -> None:
    assert tuple(first_step.SAYS) == chains.FIRST_STEP_SAMPLERS
    assert {*claims_on_the_first_step.SAMPLERS} < {*chains.FIRST_STEP_SAMPLERS} < {*SAMPLERS}


def drawn(axes: Axes) -> list[tuple[float, float]]:
    points = (line.get_xydata().tolist() for line in axes.lines if line.get_linestyle() == "None")  # type: ignore[union-attr]
    return [tuple(point) for (point,) in points]


def test_a_point_a_model_against_its_error() -> None:
    left, right = first_step.amplified_error(MODELS).axes
    assert drawn(left) == [(0.01, 34.0), (1.1, 60.0), (0.02, 33.0)]
    assert drawn(right) == [(0.01, 1.0), (1.1, 3.0)], "without the clipped FID there is no ratio"


def test_colours_are_schedules_and_markers_settings() -> None:
    figure = first_step.amplified_error(MODELS)
    linear, cosine, v = (line for line in figure.axes[0].lines if line.get_linestyle() == "None")
    assert linear.get_marker() == cosine.get_marker() != v.get_marker()
    assert linear.get_color() != cosine.get_color() == v.get_color()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["linear", "cosine", "this study's", "v"]


def test_the_brightness_of_real_digits_is_a_line() -> None:
    axes = first_step.amplified_error(MODELS).axes[0]
    (real,) = (line for line in axes.lines if str(line.get_label()).startswith("MNIST"))
    assert np.asarray(real.get_ydata(), float).tolist() == [first_step.REAL_MEAN_PIXEL] * 2
    assert pytest.approx(33.3, abs=0.05) == first_step.REAL_MEAN_PIXEL, "that of the pixels of MNIST"


def test_samplers_side_by_side_are_rows_and_schedules_columns_in_order() -> None:
    """The rows are in the order of ``SAYS``, whatever that of the images; the columns in the order given."""
    samplers, schedules = list(first_step.SAYS), ["sigmoid", "cosine"]
    pairs = [(schedule, sampler) for schedule in schedules for sampler in reversed(samplers)]
    images: dict[str, dict[str, Any]] = {schedule: {} for schedule in schedules}
    for value, (schedule, sampler) in enumerate(pairs):
        images[schedule][sampler] = np.full((3, 28, 28), 10 + value, np.uint8)
    figure = first_step.side_by_side(images, 800)
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes]
    asked = [tile(images[schedule][sampler], 3) for sampler in samplers for schedule in schedules]
    assert len(shown) == len(asked)
    assert all(np.array_equal(found, wanted) for found, wanted in zip(shown, asked, strict=True))
    assert [axes.get_title() for axes in figure.axes] == [*schedules, *[""] * (2 * len(samplers) - 2)]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == list(first_step.SAYS.values())
    assert not any(axes.get_ylabel() for axes in figure.axes[1::2])
    assert "T = 800" in str(figure.get_suptitle())
