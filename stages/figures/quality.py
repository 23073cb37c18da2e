"""FID = f(T), FID against epochs, and loss against FID: the figures of the samples' distance to real images."""

from collections.abc import Mapping, Sequence
from itertools import groupby, product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from stages.analysis.statistics import interval
from stages.analysis.tables import Row
from stages.figures.plots import colours, plain_log_axis

_MARKERS = {"ancestral": "o", "clipped": "s", "ddim": "^"}
_LINES = {"ancestral": "-", "clipped": "--", "ddim": ":"}
CONFIDENCE = 0.95  # of bands
FEWEST = 3  # seeds that a band or a mean beside its seeds needs
SAYS = {"ancestral": "no clip", "clipped": "clip"}  # of the report's sampler, and of the same with the clip
LOSSES = {
    "loss_simple": "held-out loss, each schedule's own weighting",
    "loss_common": "held-out loss at equal noise levels",
}
ALONE = 1.07  # a band of one place reaches from x / ALONE to x * ALONE


def _label(schedule: str, sampler: str) -> str:
    return f"{schedule}, {SAYS.get(sampler, sampler)}"


def _log2_axis(axes: Axes, values: Sequence[int], label: str) -> None:
    ticks = sorted(set(values))
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(value) for value in ticks])
    axes.minorticks_off()
    axes.set_xlabel(label)


def _curve(axes: Axes, rows: Sequence[Row], x: str, column: str, label: str, **style: Any) -> None:
    """Geometric means over the seeds against x, bars from the least to the largest, and a band where seeds are enough.

    The band is a confidence interval of that mean: the tests are on logarithms too. The line is broken where the seeds
    change, since a step there may be one between trainings.
    """
    seeds_at = {place: frozenset(row["seed"] for row in rows if row[x] == place) for place in {row[x] for row in rows}}
    for index, (_, run) in enumerate(groupby(sorted(seeds_at), key=seeds_at.__getitem__)):
        places = list(run)
        values = [np.array([row[column] for row in rows if row[x] == place]) for place in places]
        # rounding may not leave the range: one seed is its own mean
        means = np.array([np.clip(stats.gmean(seeds), seeds.min(), seeds.max()) for seeds in values])
        spread = [means - [seeds.min() for seeds in values], [seeds.max() for seeds in values] - means]
        bars = None if np.abs(spread).max() == 0 else spread
        axes.errorbar(places, means, yerr=bars, capsize=3, label=None if index else label, **style)
        _band(axes, places, values, style["color"])


def _band(axes: Axes, places: Sequence[float], values: Sequence[Any], colour: str) -> None:
    """Confidence intervals of geometric means, joined to a band; of a single place a band of a certain width."""
    bands = [interval(np.log(seeds), CONFIDENCE) if len(seeds) >= FEWEST else (np.nan, np.nan) for seeds in values]
    if np.isfinite(bands).any():
        low, high = np.exp(np.array(bands)).T
        if len(places) == 1:
            places, low, high = [places[0] / ALONE, places[0] * ALONE], np.repeat(low, 2), np.repeat(high, 2)
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)


def distance_of_T(
    rows: Sequence[Row], column: str, floor: str, caption: str, marked: tuple[int, int] | None = None
) -> Figure:
    """FID = f(T), the figure that the report asks for: by schedule and sampler, with the baseline.

    Args:
        rows: ``schedule``, ``T``, ``seed``, ``sampler``, and the two columns.
        column: the distance, ``fid`` or another.
        floor: the column of the baseline, the distance of real training images outside the reference set.
        caption: extractor, weights, n.
        marked: the range of the grid's T, where others are shown as well.
    """
    figure = Figure(figsize=(7.6, 4.8), layout="constrained")
    axes = figure.add_subplot()
    shades = colours([row["schedule"] for row in rows])
    if marked is not None and marked[0] < marked[1] and any(not marked[0] <= row["T"] <= marked[1] for row in rows):
        axes.axvspan(*marked, color="0.94", zorder=0, label="the grid's T")
    for schedule, sampler in dict.fromkeys((row["schedule"], row["sampler"]) for row in rows):
        chosen = [row for row in rows if (row["schedule"], row["sampler"]) == (schedule, sampler)]
        style: dict[str, Any] = {"linestyle": _LINES.get(sampler, "-."), "marker": _MARKERS.get(sampler, "d")}
        _curve(axes, chosen, "T", column, _label(schedule, sampler), color=shades[schedule], markersize=4, **style)
    level = float(np.mean([row[floor] for row in rows]))
    axes.axhline(level, color="0.4", linewidth=1, label=f"baseline: real images ({level:.2f})")
    name = "FID" if column == "fid" else column.replace("_", " ")
    axes.set(ylabel=f"{name}, lower is better", title=f"{name} = f(T)")
    plain_log_axis(axes)
    _log2_axis(axes, [row["T"] for row in rows], "T, diffusion steps")
    axes.legend(fontsize=8)
    figure.supxlabel(caption, fontsize=7)
    return figure


def distance_by_network(networks: Mapping[str, Sequence[Row]], caption: str) -> Figure:
    """FID = f(T) of several networks, one panel each: a thin line a training seed, a marker the mean of three or more.

    Args:
        networks: name -> ``schedule``, ``T``, ``seed``, ``sampler``, ``fid``, ``fid_floor``.
        caption: extractor, weights, n.
    """
    figure = Figure(figsize=(3 * len(networks), 4.4), layout="constrained")
    panels = figure.subplots(1, len(networks), sharex=True, sharey=True, squeeze=False)[0]
    every = [row for rows in networks.values() for row in rows]
    shades, level = colours([row["schedule"] for row in every]), float(np.mean([row["fid_floor"] for row in every]))
    kinds = list(dict.fromkeys((row["schedule"], row["sampler"]) for row in every))
    for axes, (name, rows) in zip(panels, networks.items(), strict=True):
        for schedule, sampler in kinds:
            chosen = [row for row in rows if (row["schedule"], row["sampler"]) == (schedule, sampler)]
            style: dict[str, Any] = {"color": shades[schedule], "linestyle": _LINES.get(sampler, "-.")}
            for seed in sorted({row["seed"] for row in chosen}):
                of_T = {row["T"]: row["fid"] for row in chosen if row["seed"] == seed}
                axes.plot(
                    sorted(of_T),
                    [of_T[T] for T in sorted(of_T)],
                    linewidth=0.8,
                    marker=".",
                    markersize=3,
                    alpha=0.4,
                    **style,
                )
            of_seeds = {
                T: [row["fid"] for row in chosen if row["T"] == T] for T in sorted({row["T"] for row in chosen})
            }
            all_T = [T for T, fids in of_seeds.items() if len(fids) >= FEWEST]
            means = [float(stats.gmean(of_seeds[T])) for T in all_T]
            points = {"marker": _MARKERS.get(sampler, "d"), "fillstyle": "full" if sampler == "ancestral" else "none"}
            axes.plot(all_T, means, linestyle="", color=shades[schedule], label=_label(schedule, sampler), **points)
        axes.axhline(level, color="0.4", linewidth=1)
        axes.set_title(name, fontsize=9)
        plain_log_axis(axes)
        _log2_axis(axes, [row["T"] for row in every], "T, diffusion steps")
    panels[0].set_ylabel(f"FID, lower is better (grey: real images, {level:.2f})")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9)
    figure.supxlabel(caption, fontsize=7)
    return figure


def distance_of_epochs(rows: Sequence[Row], caption: str) -> Figure:
    """FID against the epochs of the training, one panel a T and sampler.

    Args:
        rows: ``schedule``, ``T``, ``seed``, ``sampler``, ``epochs``, ``fid``, ``fid_floor``.
        caption: extractor, weights, n.
    """
    panels = list(dict.fromkeys((row["T"], row["sampler"]) for row in sorted(rows, key=lambda row: row["T"])))
    figure = Figure(figsize=(3.8 * len(panels), 3.8), layout="constrained")
    shades = colours([row["schedule"] for row in rows])
    level = float(np.mean([row["fid_floor"] for row in rows]))
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (T, sampler) in zip(every, panels, strict=True):
        chosen = [row for row in rows if (row["T"], row["sampler"]) == (T, sampler)]
        for schedule in dict.fromkeys(row["schedule"] for row in chosen):
            of_it = [row for row in chosen if row["schedule"] == schedule]
            _curve(axes, of_it, "epochs", "fid", schedule, color=shades[schedule], marker="o", markersize=4)
        axes.axhline(level, color="0.4", linewidth=1)
        axes.set_title(f"T = {T}, {SAYS.get(sampler, sampler)}")
        plain_log_axis(axes)
        _log2_axis(axes, [row["epochs"] for row in chosen], "epochs")
    every[0].set_ylabel(f"FID, lower is better (grey: real images, {level:.2f})")
    every[-1].legend(fontsize=8)
    figure.supxlabel(caption, fontsize=7)
    return figure


def loss_against_fid(rows: Sequence[Row], caption: str) -> Figure:
    """Does the loss predict the quality? Held-out loss against FID: a row a sampler, a column a loss that all have.

    Args:
        rows: ``schedule``, ``T``, ``sampler``, ``fid`` and the columns of ``LOSSES``; the size of a point is T's.
        caption: extractor, weights, n.
    """
    all_T = sorted({row["T"] for row in rows})
    sizes = dict(zip(all_T, np.linspace(6, 60, len(all_T)), strict=True))
    samplers = list(dict.fromkeys(row["sampler"] for row in rows))
    losses = {column: says for column, says in LOSSES.items() if all(row.get(column) is not None for row in rows)}
    shades = colours([row["schedule"] for row in rows])
    figure = Figure(figsize=(4.6 * len(losses) + 1, 3.2 * len(samplers) + 0.4), layout="constrained")
    panels = figure.subplots(len(samplers), len(losses), sharex="col", sharey=True, squeeze=False)
    for (sampler, (column, says)), axes in zip(product(samplers, losses.items()), panels.flat, strict=True):
        chosen = [row for row in rows if row["sampler"] == sampler]
        for schedule in dict.fromkeys(row["schedule"] for row in chosen):
            points = [row for row in chosen if row["schedule"] == schedule]
            places = [[point[axis] for point in points] for axis in (column, "fid")]
            size = [sizes[point["T"]] for point in points]
            axes.scatter(*places, s=size, facecolors="none", edgecolors=[shades[schedule]])
        axes.set_title(SAYS.get(sampler, sampler))
        plain_log_axis(axes)
        if sampler == samplers[-1]:
            axes.set_xlabel(says)
    dot: dict[str, Any] = {"marker": "o", "linestyle": "none", "fillstyle": "none"}
    schedules = dict.fromkeys(row["schedule"] for row in rows)
    handles = [Line2D([], [], color=shades[schedule], label=schedule, **dot) for schedule in schedules]
    handles += [Line2D([], [], color="0.3", markersize=sizes[T] ** 0.5, label=f"T = {T}", **dot) for T in all_T]
    figure.legend(handles=handles, loc="outside right upper", fontsize=8)
    figure.supylabel("FID, lower is better", fontsize=10)
    figure.supxlabel(caption, fontsize=7)
    return figure
