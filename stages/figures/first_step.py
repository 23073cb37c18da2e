"""Figures of what the first reverse step does: samplers that differ in it, and the error that it leaves."""

from collections.abc import Mapping, Sequence
from itertools import cycle

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ddpm.core.mnist import MEAN
from stages.analysis.amplified import Model
from stages.figures.plots import Images, colours, plain_log_axis, tile

REAL_MEAN_PIXEL = (MEAN + 1) / 2 * 255
MARKERS = "os^DvPX*<>"

SAYS = {
    "ancestral": "no clip",
    "clipped": "clip in every step",
    "clipped-first": "clip in the first step only",
    "clipped-rest": "clip in all but the first",
    "late-start": "first step left out, no clip",
}


def side_by_side(images: Mapping[str, Mapping[str, Images]], T: int) -> Figure:
    """Samples of the same model from the same noise, one row a sampler and one column a schedule.

    Args:
        images: schedule -> sampler -> uint8 ``[n, 28, 28]``, of all samplers of ``SAYS``.
        T: of the models.
    """
    samplers = list(SAYS)
    figure = Figure(figsize=(3.4 * len(images), 0.46 * len(samplers) + 0.6), layout="constrained")
    grid = figure.subplots(len(samplers), len(images), squeeze=False)
    for column, (schedule, by_sampler) in enumerate(images.items()):
        for row, sampler in enumerate(samplers):
            axes = grid[row, column]
            shown = by_sampler[sampler]
            axes.imshow(tile(shown, len(shown)), cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            if column == 0:
                axes.set_ylabel(SAYS[sampler], rotation=0, ha="right", va="center", fontsize=9)
        grid[0, column].set_title(schedule, fontsize=10)
    figure.suptitle(f"Same model and noise, T = {T}: what the first reverse step does", fontsize=11)
    return figure


def amplified_error(models: Sequence[Model]) -> Figure:
    """Brightness of the samples, and what clipping gains, against the error of x_{T-1}: one point a model.

    Args:
        models: of any schedules and settings; those that were not sampled with the clip are in the left panel only.
    """
    figure = Figure(figsize=(10.4, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    schedules = list(dict.fromkeys(model.schedule for model in models))
    settings = list(dict.fromkeys(model.setting for model in models))
    shades, markers = colours(schedules), dict(zip(settings, cycle(MARKERS), strict=False))
    for model in models:
        style = {"color": shades[model.schedule], "marker": markers[model.setting], "alpha": 0.7, "markersize": 5}
        left.plot(model.error, model.mean_pixel, linestyle="none", **style)
        if model.clipped_fid is not None:
            right.plot(model.error, model.fid / model.clipped_fid, linestyle="none", **style)
    left.axhline(REAL_MEAN_PIXEL, color="0.4", linewidth=1, label=f"MNIST ({REAL_MEAN_PIXEL:.1f})")
    left.legend(loc="upper left")
    left.set(ylabel="mean pixel of the samples without clip, 0 to 255")
    right.set(ylabel="FID without clip / FID with the clip in every step")
    plain_log_axis(right)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.axvline(1, color="0.8", linewidth=1, zorder=0)
    handles = [Line2D([], [], color=shades[name], marker="o", linestyle="none", label=name) for name in schedules]
    handles += [
        Line2D([], [], color="0.3", marker=markers[name], linestyle="none", fillstyle="none", label=name)
        for name in settings
    ]
    figure.legend(handles=handles, loc="outside right upper", fontsize=8)
    figure.supxlabel("RMS error of x_{T-1} (vertical line: 1, about the RMS of x_{T-1} itself)", fontsize=10)
    figure.suptitle("The error that the first reverse step leaves, and what follows", fontsize=11)
    return figure
