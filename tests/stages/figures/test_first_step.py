"""Figures of the first reverse step: every sampler in its row, and the sign by which an error makes images brighter."""

from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from stages.figures import first_step
from stages.figures.plots import tile

GAINS = {("linear", 50): 1.1, ("linear", 100): 1.05, ("cosine", 50): 100.0}
ROWS: list[dict[str, Any]] = [
    {"schedule": "linear", "T": 50, "sampler": "ancestral", "end_error_mean": -0.02, "mean_pixel": 35.0},
    {"schedule": "cosine", "T": 50, "sampler": "ancestral", "end_error_mean": -0.004, "mean_pixel": 60.0},
    {"schedule": "linear", "T": 100, "sampler": "ancestral", "end_error_mean": 0.01, "mean_pixel": 30.0},
]


def test_an_error_below_zero_times_the_gain_is_an_offset_above_zero() -> None:
    """The first reverse step subtracts the predicted noise, so a point lies at minus its gain times its mean error."""
    axes = first_step.brightness(ROWS, GAINS).axes[0]
    drawn = {str(dots.get_label()): dots for dots in axes.collections if isinstance(dots, PathCollection)}
    assert set(drawn) == {"linear", "cosine"}
    np.testing.assert_allclose(np.asarray(drawn["linear"].get_offsets(), float), [[0.022, 35.0], [-0.0105, 30.0]])
    np.testing.assert_allclose(np.asarray(drawn["cosine"].get_offsets(), float), [[0.4, 60.0]])


def test_points_of_brightness_are_numbered_by_their_T_where_they_lie() -> None:
    axes = first_step.brightness(ROWS, GAINS).axes[0]
    named = {text.get_text(): text.xy for text in axes.texts}  # type: ignore[attr-defined]  # annotations have a place
    assert named["100"] == pytest.approx((-0.0105, 30.0))
    assert [text.get_text() for text in axes.texts] == ["50", "100", "50"]
    small = first_step.brightness(ROWS, GAINS | {("linear", 100): 0.2}).axes[0]
    assert [text.get_text() for text in small.texts] == ["50", "50"], "no number where the gain is below 1"


def test_the_brightness_of_real_digits_is_a_line() -> None:
    axes = first_step.brightness(ROWS, GAINS).axes[0]
    (real,) = (line for line in axes.lines if str(line.get_label()).startswith("real digits"))
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
