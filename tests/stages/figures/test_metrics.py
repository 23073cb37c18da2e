"""Figures of the metrics and of single changes show the numbers they are given, and mark what is unsure."""

from typing import Any

import numpy as np
import pytest
from matplotlib.lines import Line2D

from stages.figures import metrics


def points(line: Line2D) -> list[tuple[float, float]]:
    """The places that a line joins, in its order."""
    x, y = (np.asarray(values, float).tolist() for values in (line.get_xdata(), line.get_ydata()))
    return list(zip(x, y, strict=True))


def corrupted(name: str, fids: list[float], digits: list[float]) -> list[dict[str, Any]]:
    """Rows of one corruption at severities 0, 1, ..., the most severe first."""
    rows = [
        {"corruption": name, "severity": severity, "fid": fid, "digits_distance": distance}
        for severity, (fid, distance) in enumerate(zip(fids, digits, strict=True))
    ]
    return rows[::-1]


def test_a_distance_that_does_not_rise_with_every_severity_is_dashed() -> None:
    rows = [*corrupted("noise", [2.0, 3.0, 8.0], [4.0, 6.0, 5.0]), *corrupted("blur", [2.0, 2.0, 8.0], [1.0, 2.0, 3.0])]
    panels = [axes for axes in metrics.corruptions(rows).axes if axes.lines]
    styles = {axes.get_title(): [line.get_linestyle() for line in axes.lines] for axes in panels}
    assert styles == {"noise": ["-", "--"], "blur": ["--", "-"]}, "equal is not rising"


def test_distances_of_corruptions_are_relative_to_the_clean_images_in_the_order_of_severity() -> None:
    rows = [*corrupted("noise", [2.0, 3.0, 8.0], [4.0, 6.0, 5.0]), *corrupted("blur", [5.0, 6.0, 7.0], [1.0, 2.0, 3.0])]
    noise, blur = (axes.lines for axes in metrics.corruptions(rows).axes if axes.lines)
    assert points(noise[0]) == [(0, 1), (1, 1.5), (2, 4)]
    assert points(noise[1]) == [(0, 1), (1, 1.5), (2, 1.25)]
    assert points(blur[1]) == [(0, 1), (1, 2), (2, 3)]
    assert [line.get_label() for line in noise] == ["Inception", "classifier of digits"]


def test_loss_at_log_snr_has_one_line_per_schedule_and_T() -> None:
    """Only the largest T of a schedule is in the legend and at full strength; a schedule's lines share a colour."""
    curves = {
        ("linear", 50): {-2.0: 0.3, 0.0: 0.2, 2.0: 0.1},
        ("linear", 800): {-2.0: 0.35, 0.0: 0.25},
        ("cosine", 100): {0.0: 0.15, 2.0: 0.05},
    }
    axes = metrics.loss_at_log_snr(curves).axes[0]
    assert [points(line) for line in axes.lines] == [list(curve.items()) for curve in curves.values()]
    faint, linear, cosine = axes.lines
    assert linear.get_color() == faint.get_color() != cosine.get_color()
    assert [line.get_alpha() for line in axes.lines] == [0.3, 1, 1]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["linear, T = 800", "cosine, T = 100"]


def test_nothing_measured_is_an_empty_figure() -> None:
    assert not metrics.loss_at_log_snr({}).axes[0].lines


def test_the_ratio_of_one_seed_is_hollow_and_has_no_interval() -> None:
    changes: dict[str, dict[str, Any]] = {
        "more epochs": {"ratio": 0.5, "low": 0.25, "high": 0.75},
        "one seed": {"ratio": 2.0, "low": None, "high": None},
    }
    axes = metrics.ratios(changes, "KID").axes[0]
    assert axes.get_xlabel().startswith("KID after the change")
    markers = {points(line)[0]: line.get_fillstyle() for line in axes.lines if line.get_marker() == "o"}
    assert markers == {(0.5, 0): "full", (2.0, 1): "none"}
    bars = [points(line) for line in axes.lines if line.get_linewidth() == 2]
    assert bars == [[(0.25, 0), (0.75, 0)]]


@pytest.mark.parametrize("names", [["a", "b", "c"], ["c", "a"]])
def test_ratios_are_named_from_the_top_in_the_order_given(names: list[str]) -> None:
    axes = metrics.ratios({name: {"ratio": 1.5, "low": None, "high": None} for name in names}, "FID").axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == names
    assert axes.yaxis_inverted(), "the first is at the top"
