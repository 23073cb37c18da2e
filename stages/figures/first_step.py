"""Figures of what the first reverse step does: samplers that differ in it, and the brightness that its error adds."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from ddpm.core.mnist import MEAN
from stages.figures.plots import Images, Row, colours, tile

REAL_MEAN_PIXEL = (MEAN + 1) / 2 * 255

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
    figure.suptitle(f"Same model, same noise, T = {T}: what the first reverse step does", fontsize=11)
    return figure


def brightness(rows: Sequence[Row], gains: Mapping[tuple[str, int], float]) -> Figure:
    """Mean pixel of each cell's samples against the mean error at t = T, multiplied as the first step multiplies it.

    Args:
        rows: ``schedule``, ``T``, ``sampler``, ``end_error_mean``, ``mean_pixel``, of one sampler without a clip.
        gains: (schedule, T) -> beta_T / sqrt(alpha_T (1 - alpha_bar_T)), by which the first step multiplies the error
            of epsilon (Ho et al. 2020, eq. 11); its sign is reversed, so an error below 0 makes the images brighter.
            Rows without a gain are not drawn.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    rows = [row for row in rows if (row["schedule"], row["T"]) in gains]
    shades = colours([row["schedule"] for row in rows])
    for schedule in dict.fromkeys(row["schedule"] for row in rows):
        chosen = [row for row in rows if row["schedule"] == schedule]
        x = [-gains[schedule, row["T"]] * row["end_error_mean"] for row in chosen]
        axes.scatter(x, [row["mean_pixel"] for row in chosen], color=shades[schedule], label=schedule)
        for place, row in zip(x, chosen, strict=True):
            if gains[schedule, row["T"]] < 1:  # all at one place, where numbers would hide each other
                continue
            axes.annotate(
                str(row["T"]), (place, row["mean_pixel"]), xytext=(4, 3), textcoords="offset points", fontsize=7
            )
    axes.axhline(REAL_MEAN_PIXEL, color="0.4", linewidth=1, label=f"real digits ({REAL_MEAN_PIXEL:.1f})")
    axes.axvline(0, color="0.8", linewidth=1)
    axes.set(
        xlabel="offset that the first reverse step adds: -(mean error at t = T) x gain of the error",
        ylabel="mean pixel of the samples, 0 to 255",
        title="Brightness of samples, no clip (numbers: T, where the gain is above 1)",
    )
    axes.legend()
    return figure
