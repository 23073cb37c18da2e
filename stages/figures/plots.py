"""The study's figures: plain rows and arrays in, matplotlib Figures out. No files, no global state of pyplot."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray
from torchvision.utils import make_grid

from stages.analysis.tables import Row

Images = NDArray[np.uint8]


def colours(names: Sequence[str]) -> dict[str, Any]:
    """One colour a schedule, the same in every figure: the report's three first."""
    known = ["linear", "cosine", "sigmoid"]
    order = known + sorted(set(names) - set(known))
    palette = matplotlib.colormaps["tab10"].colors  # type: ignore[attr-defined]  # ListedColormap has them
    return {name: palette[i % len(palette)] for i, name in enumerate(order)}


def plain_log_axis(axes: Axes) -> None:
    """A logarithmic y axis whose ticks are plain numbers: most figures span less than two decades."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def alpha_bar_curves(tables: Mapping[str, Mapping[int, NDArray[np.float64]]]) -> Figure:
    """Figure 1 of the report: alpha_bar against t / T.

    Args:
        tables: schedule -> T -> alpha_bar ``[T + 1]``; smaller T are drawn fainter.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    shades = colours(list(tables))
    for name, by_T in tables.items():
        for T, alpha_bar in sorted(by_T.items()):
            largest = max(by_T) == T
            label = f"{name}, T = {T}" if largest else None
            axes.plot(
                np.linspace(0, 1, T + 1), alpha_bar, color=shades[name], alpha=1 if largest else 0.25, label=label
            )
    axes.set(xlabel="t / T (fainter: smaller T)", ylabel=r"$\bar\alpha_t$")
    axes.set_title("Share of the signal's variance that is left")
    axes.legend()
    return figure


def forward_process(strips: Mapping[str, Sequence[tuple[int, NDArray[np.float32]]]], T: int) -> Figure:
    """Figure 2 of the report: a noised digit and the distribution of its pixels, against a standard Gaussian.

    Args:
        strips: schedule -> [(t, x_t ``[N, 28, 28]``)]; the first image is shown, all enter the histogram.
        T: the number of steps they were made with.
    """
    columns = len(next(iter(strips.values())))
    figure = Figure(figsize=(1.8 * columns, 3.1 * len(strips)), layout="constrained")
    grid = figure.subplots(2 * len(strips), columns, squeeze=False, height_ratios=[1.3, 1] * len(strips))
    pixel = np.linspace(-3.5, 3.5, 200)
    gaussian = np.exp(-(pixel**2) / 2) / np.sqrt(2 * np.pi)
    for row, (name, strip) in enumerate(strips.items()):
        for column, (t, x_t) in enumerate(strip):
            image, histogram = grid[2 * row, column], grid[2 * row + 1, column]
            image.imshow(x_t[0], cmap="gray", vmin=-1.5, vmax=1.5)
            image.set_title(f"{name}, t = {t}" if column == 0 else f"t = {t}", fontsize=9)
            image.axis("off")
            histogram.hist(x_t.ravel(), bins=60, range=(-3.5, 3.5), density=True, color="0.7")
            histogram.plot(pixel, gaussian, color="tab:blue", linewidth=1)
            histogram.set(yticks=[], ylim=(0, 1.0))
            histogram.tick_params(labelsize=7)
    figure.suptitle(f"Forward process, T = {T}: images and their pixels' distribution (blue: standard Gaussian)")
    return figure


def loss_curves(rows: Sequence[Row]) -> Figure:
    """Figure 4 of the report: mean training loss of every epoch, one panel a schedule.

    Args:
        rows: ``schedule``, ``T``, ``seed``, ``epoch``, ``loss``.
    """
    schedules = list(dict.fromkeys(row["schedule"] for row in rows))
    all_T = sorted({row["T"] for row in rows})
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.9, len(all_T)))
    figure = Figure(figsize=(4 * len(schedules), 3.6), layout="constrained")
    panels = figure.subplots(1, len(schedules), sharey=True, squeeze=False)[0]
    for axes, schedule in zip(panels, schedules, strict=True):
        for T, shade in zip(all_T, shades, strict=True):
            seeds = sorted({row["seed"] for row in rows if row["schedule"] == schedule and row["T"] == T})
            for seed in seeds:
                key = (schedule, T, seed)
                curve = [row for row in rows if (row["schedule"], row["T"], row["seed"]) == key]
                label = f"T = {T}" if seed == seeds[0] else None
                axes.plot([r["epoch"] for r in curve], [r["loss"] for r in curve], "o-", color=shade, label=label)
        axes.set(title=schedule, xlabel="epoch")
        plain_log_axis(axes)
    panels[0].set_ylabel(r"training loss, mean of $(\epsilon - \epsilon_\theta)^2$")
    panels[-1].legend()
    return figure


def tile(images: Images, columns: int) -> Images:
    """``[n, 28, 28]`` -> one image of ``columns`` across, with a grey pixel around each; n is cut to whole rows."""
    shown = torch.from_numpy(images[: max(len(images) // columns, 1) * columns]).unsqueeze(1)
    canvas: Images = make_grid(shown, columns, padding=1, pad_value=96)[0].numpy()
    return canvas


def sample_grid(images: Images, title: str) -> Figure:
    """The first 32 samples of one cell, 8 across; uint8 ``[n, 28, 28]``."""
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(tile(images[:32], min(8, len(images))), cmap="gray", vmin=0, vmax=255)
    axes.set_title(title)
    axes.axis("off")
    return figure


def all_samples(cells: Mapping[tuple[str, int], tuple[Images, float]], sampler: str, seed: int, caption: str) -> Figure:
    """Figure 5 of the report: the first 32 samples of every cell of one training seed, side by side.

    Args:
        cells: (schedule, T) -> (images uint8 ``[n, 28, 28]``, FID).
        sampler: which sampler made them.
        seed: of the training.
        caption: what the FID is measured with.
    """
    schedules = list(dict.fromkeys(schedule for schedule, _ in cells))
    all_T = sorted({T for _, T in cells})
    figure = Figure(figsize=(3.2 * len(all_T), 1.95 * len(schedules) + 0.5), layout="constrained")
    grid = figure.subplots(len(schedules), len(all_T), squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for (schedule, T), (images, fid) in cells.items():
        axes = grid[schedules.index(schedule), all_T.index(T)]
        axes.imshow(tile(images[:32], min(8, len(images))), cmap="gray", vmin=0, vmax=255)
        axes.set_title(f"{schedule}, T = {T}: FID {fid:.2f}", fontsize=14)
    figure.suptitle(f"Training seed {seed}, sampler {sampler}: 32 samples per model. FID: {caption}")
    return figure
