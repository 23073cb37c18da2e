"""Figures show what they are given: the right lines, the right labels, nothing dropped."""

import io
import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from scipy import stats

from stages.figures import plots, quality

SCHEDULES, ALL_T, SAMPLERS = ("linear", "cosine"), (50, 100), ("ancestral", "clipped")
SAID = ("no clip", "clip")
ROWS: list[dict[str, Any]] = [
    {"schedule": s, "T": T, "seed": seed, "sampler": m, "fid": 2.0 + i, "fid_floor": 0.5}
    | {"loss": 9.0, "loss_simple": 0.05 + 0.001 * i, "loss_common": 0.04 - 0.001 * i}
    for i, (s, T, seed, m) in enumerate(
        (s, T, seed, m) for s in SCHEDULES for T in ALL_T for seed in (0, 1) for m in SAMPLERS
    )
]
DIGITS = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def bands_of(axes: Any) -> list[PolyCollection]:
    return [drawn for drawn in axes.collections if isinstance(drawn, PolyCollection)]


def test_fid_of_T_has_a_line_a_schedule_and_sampler_and_the_floor() -> None:
    axes = quality.distance_of_T(ROWS, "fid", "fid_floor", "extractor x").axes[0]
    labels = {bars.get_label(): bars[0] for bars in axes.containers} | {axes.lines[-1].get_label(): axes.lines[-1]}
    assert set(labels) == {f"{s}, {m}" for s in SCHEDULES for m in SAID} | {"baseline: real images (0.50)"}
    # geometric mean over the two seeds of (linear, T = 50 and 100, ancestral)
    seeds = np.sqrt([2.0 * 4.0, 6.0 * 8.0])
    np.testing.assert_allclose(np.asarray(labels["linear, no clip"].get_ydata(), float), seeds)
    np.testing.assert_allclose(np.asarray(labels["linear, no clip"].get_xdata(), float), ALL_T)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["50", "100"]


def test_a_network_a_panel_with_a_line_a_seed_and_the_mean_of_three_seeds() -> None:
    third = [row | {"seed": 2, "fid": 3 * row["fid"]} for row in ROWS if row["seed"] == 1]
    other = [row | {"fid": 10 * row["fid"], "T": 4 * row["T"]} for row in ROWS if row["schedule"] == "linear"][::-1]
    figure = quality.distance_by_network({"own": [*third, *ROWS], "other": other}, "extractor x")
    own, beside = figure.axes
    assert [axes.get_title() for axes in (own, beside)] == ["own", "other"]
    assert own.get_ylim() == beside.get_ylim()
    assert own.get_xlim() == beside.get_xlim()
    assert [tick.get_text() for tick in beside.get_xticklabels()] == ["50", "100", "200", "400"]
    assert own.get_ylabel() == "FID, lower is better (grey: real images, 0.50)"
    for axes, factor, all_T in ((own, 1.0, [50, 100]), (beside, 10.0, [200, 400])):
        *lines, baseline = axes.lines
        assert set(np.asarray(baseline.get_ydata(), float)) == {0.5}
        seeds = [line for line in lines if line.get_linestyle() != "None"]
        drawn = [(line.get_linestyle(), [float(y) for y in np.asarray(line.get_ydata())]) for line in seeds]
        assert ("-", [2.0 * factor, 6.0 * factor]) in drawn, "linear, ancestral, seed 0"
        assert ("--", [3.0 * factor, 7.0 * factor]) in drawn, "linear, clipped, seed 0"
        assert all([float(x) for x in np.asarray(line.get_xdata())] == all_T for line in seeds)
    means = {str(line.get_label()): line for line in own.lines if line.get_linestyle() == "None"}
    assert set(means) == {f"{s}, {m}" for s in SCHEDULES for m in SAID}
    expected = np.cbrt([2.0 * 4.0 * 12.0, 6.0 * 8.0 * 24.0])
    np.testing.assert_allclose(np.asarray(means["linear, no clip"].get_ydata(), float), expected)
    fills = {name: (line.get_fillstyle(), line.get_marker()) for name, line in means.items()}
    assert fills["linear, no clip"] == ("full", "o")
    assert fills["linear, clip"] == ("none", "s")
    assert means["linear, clip"].get_color() == means["linear, no clip"].get_color()
    assert means["linear, clip"].get_color() != means["cosine, clip"].get_color()
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == set(means)
    of_two = [line for line in beside.lines if line.get_linestyle() == "None"]
    assert all(np.asarray(line.get_ydata()).size == 0 for line in of_two), "a mean of two seeds"


def test_a_band_needs_three_seeds_and_other_T_are_beside_the_reports() -> None:
    rows: list[dict[str, Any]] = [
        {"schedule": "linear", "T": T, "seed": seed, "sampler": "clipped", "fid": (1 + seed) * T, "fid_floor": 0.5}
        for T, seeds in ((12, 3), (50, 3), (100, 2))
        for seed in range(seeds)
    ]
    axes = quality.distance_of_T(rows, "fid", "fid_floor", "x", (50, 100)).axes[0]
    (shaded,), (band,) = axes.patches, bands_of(axes)
    assert shaded.get_window_extent().x0 == pytest.approx(axes.transData.transform((50, 1))[0])
    assert shaded.get_window_extent().x1 == pytest.approx(axes.transData.transform((100, 1))[0])
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    assert set(corners[:, 0]) == {12, 50}
    logs = np.log([12, 24, 36])
    half = stats.t.ppf(0.975, 2) * logs.std(ddof=1) / math.sqrt(3)
    low = corners[corners[:, 0] == 12, 1].min()
    assert low == pytest.approx(math.exp(logs.mean() - half))
    alone = quality.distance_of_T([row for row in rows if row["T"] >= 50], "fid", "fid_floor", "x", (50, 100)).axes[0]
    assert not alone.patches, "nothing is beside them"
    one_T = quality.distance_of_T(rows, "fid", "fid_floor", "x", (50, 50)).axes[0]
    assert not one_T.patches, "one T is no range"


def test_the_line_is_broken_where_the_seeds_change() -> None:
    """At T = 4000 there are the worse seeds alone: a line to them would say that more steps are worse."""
    rows: list[dict[str, Any]] = [
        {"schedule": "linear", "T": T, "seed": seed, "sampler": "clipped", "fid": 1.0 + seed, "fid_floor": 0.5}
        for T, seeds in ((50, range(5)), (800, range(5)), (4000, range(2, 5)))
        for seed in seeds
    ]
    axes = quality.distance_of_T(rows, "fid", "fid_floor", "x", (50, 800)).axes[0]
    lines = [np.asarray(bars[0].get_xdata(), float).tolist() for bars in axes.containers]
    assert lines == [[50, 800], [4000]]
    assert [bars.get_label() for bars in axes.containers].count("linear, clip") == 1
    corners = np.concatenate([path.vertices for path in bands_of(axes)[-1].get_paths()])
    assert corners[:, 0].min() < 4000 < corners[:, 0].max()
    logs = np.log([3, 4, 5])
    half = stats.t.ppf(0.975, 2) * logs.std(ddof=1) / math.sqrt(3)
    assert corners[:, 1].max() == pytest.approx(math.exp(logs.mean() + half))


def test_epochs_have_a_panel_a_T_and_sampler() -> None:
    rows = [row | {"epochs": epochs, "fid": row["fid"] / epochs} for row in ROWS for epochs in (5, 15, 50)]
    figure = quality.distance_of_epochs(rows, "extractor x")
    assert [axes.get_title() for axes in figure.axes] == [f"T = {T}, {m}" for T in ALL_T for m in SAID]
    for axes in figure.axes:
        lines = {bars.get_label(): bars[0] for bars in axes.containers}
        assert set(lines) == set(SCHEDULES)
        assert [t.get_text() for t in axes.get_xticklabels()] == ["5", "15", "50"]
    first = {bars.get_label(): bars[0] for bars in figure.axes[0].containers}["linear"]
    np.testing.assert_allclose(np.asarray(first.get_ydata(), float), np.sqrt(8.0) / [5, 15, 50])


def test_caption_is_on_the_figure() -> None:
    foot = "extractor x, n = 5"
    for figure in (quality.distance_of_T(ROWS, "fid", "fid_floor", foot), quality.loss_against_fid(ROWS, foot)):
        assert figure.get_supxlabel() == foot


def test_alpha_bar_curves_run_from_one() -> None:
    tables = {"linear": {T: np.linspace(1, 0, T + 1) for T in ALL_T}}
    axes = plots.alpha_bar_curves(tables).axes[0]
    for line in axes.lines:
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        assert (x[0], x[-1], y[0]) == (0, 1, 1)


def test_loss_curves_hold_every_cell() -> None:
    rows = [
        {"schedule": s, "T": T, "seed": seed, "epoch": e, "loss": 0.1 / e}
        for s in SCHEDULES for T in ALL_T for seed in (0, 1) for e in (1, 2, 3)
    ]  # fmt: skip
    panels = plots.loss_curves(rows).axes
    assert [axes.get_title() for axes in panels] == list(SCHEDULES)
    assert all(len(axes.lines) == 4 for axes in panels)


def test_tile_places_images_in_reading_order() -> None:
    canvas = plots.tile(DIGITS[:6], 3)
    assert canvas.shape == (59, 88)
    assert np.array_equal(canvas[30:58, 30:58], DIGITS[4])


@pytest.mark.parametrize("n", [2, 5, 8, 32, 40])
def test_any_number_of_samples_can_be_shown(n: int) -> None:
    assert len(png(plots.sample_grid(DIGITS[:n], "x"))) > 1000


def test_all_samples_names_cells_and_fids() -> None:
    cells = {(s, T): (DIGITS, 1.5) for s in SCHEDULES for T in ALL_T}
    figure = plots.all_samples(cells, "clipped", 7, "extractor x")
    assert {axes.get_title() for axes in figure.axes} == {f"{s}, T = {T}: FID 1.50" for s, T in cells}
    assert "Training seed 7, sampler clipped" in str(figure.get_suptitle())


def test_loss_against_fid_marks_every_cell() -> None:
    figure = quality.loss_against_fid(ROWS, "x")
    kinds = product(zip(SAMPLERS, SAID, strict=True), ("loss_simple", "loss_common"))
    for axes, ((sampler, said), loss) in zip(figure.axes, kinds, strict=True):
        assert axes.get_title() == said
        every: list[Any] = list(axes.collections)
        drawn = [
            (*place, size)
            for points in every
            for place, size in zip(np.asarray(points.get_offsets()).tolist(), points.get_sizes(), strict=True)
        ]
        of_T = {50: 6.0, 100: 60.0}
        rows = [row for row in ROWS if row["sampler"] == sampler]
        assert sorted(drawn) == sorted((row[loss], row["fid"], of_T[row["T"]]) for row in rows)
    assert [axes.get_xlabel() for axes in figure.axes[-2:]] == list(quality.LOSSES.values())
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [*SCHEDULES, "T = 50", "T = 100"]


def test_a_loss_that_a_row_lacks_has_no_panel() -> None:
    figure = quality.loss_against_fid([*ROWS[1:], ROWS[0] | {"loss_common": None}], "x")
    assert [axes.get_xlabel() for axes in figure.axes] == ["", quality.LOSSES["loss_simple"]]


def test_forward_process_shows_images_over_histograms() -> None:
    strip = [(t, np.random.default_rng(t).normal(size=(4, 28, 28)).astype(np.float32)) for t in (0, 50, 100)]
    figure = plots.forward_process({"linear": strip, "cosine": strip}, 100)
    assert len(figure.axes) == 12
    assert "T = 100" in str(figure.get_suptitle())


def test_same_rows_same_bytes() -> None:
    first, again = (quality.distance_of_T(ROWS, "fid", "fid_floor", "x") for _ in range(2))
    assert png(first) == png(again)
