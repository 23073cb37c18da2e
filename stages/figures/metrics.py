"""Figures of the metrics' validation, of losses on held-out images, and of single changes."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

from stages.analysis.tables import Row
from stages.figures.plots import colours, plain_log_axis

_DISTANCES = {"fid": "Inception", "digits_distance": "classifier of digits"}


def corruptions(rows: Sequence[Row]) -> Figure:
    """Both distances against the severity of each corruption (Heusel et al. 2017, figure 3).

    Args:
        rows: ``corruption``, ``severity``, ``fid``, ``digits_distance``; a distance is drawn relative to its
            value for the clean images, so that both share an axis.
    """
    names = list(dict.fromkeys(row["corruption"] for row in rows))
    figure = Figure(figsize=(2.6 * -(-len(names) // 2), 5.2), layout="constrained")
    panels = figure.subplots(2, -(-len(names) // 2), sharex=True, squeeze=False).flat
    for axes, name in zip(panels, names, strict=False):
        chosen = sorted((row for row in rows if row["corruption"] == name), key=lambda row: float(row["severity"]))
        for column, label in _DISTANCES.items():
            values = np.array([row[column] for row in chosen])
            falls = bool((np.diff(values) <= 0).any())
            axes.plot(
                [row["severity"] for row in chosen],
                values / values[0],
                "o--" if falls else "o-",
                label=label if name == names[0] else None,
            )
        axes.set_title(name, fontsize=10)
        axes.set_yscale("log")
    figure.supxlabel("severity of the corruption")
    figure.supylabel("distance, relative to clean digits")
    figure.legend(loc="outside upper center", ncols=2, title="dashed: not rising with every severity")
    return figure


def loss_at_log_snr(curves: Mapping[tuple[str, int], Mapping[float, float]]) -> Figure:
    """Held-out loss at equal noise levels, where schedules can be compared.

    Args:
        curves: (schedule, T) -> log SNR -> mean of (eps - eps_theta)^2, seeds averaged; smaller T are drawn fainter.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    shades = colours([schedule for schedule, _ in curves])
    largest = {name: max(T for other, T in curves if other == name) for name, _ in curves}
    for (schedule, T), curve in curves.items():
        label = f"{schedule}, T = {T}" if largest[schedule] == T else None
        alpha = 1 if largest[schedule] == T else 0.3
        axes.plot(list(curve), list(curve.values()), color=shades[schedule], alpha=alpha, label=label)
    axes.set(xlabel="log SNR (fainter: smaller T)", ylabel=r"held-out loss, mean of $(\epsilon - \epsilon_\theta)^2$")
    plain_log_axis(axes)
    if curves:
        axes.legend()
    return figure


def ratios(changes: Mapping[str, Row], metric: str) -> Figure:
    """Forest plot of the ratio of the distance after each change to that before it, with intervals if there are seeds.

    Args:
        changes: name -> ``ratio`` (above 1: worse), ``low`` and ``high``, None with one seed.
        metric: its name.
    """
    figure = Figure(figsize=(8.4, 1.0 + 0.32 * len(changes)), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(changes.values()):
        sure = row["high"] is not None
        if sure:
            axes.plot([row["low"], row["high"]], [place, place], color="C0", linewidth=2)
        axes.plot(row["ratio"], place, "o", color="C0", fillstyle="full" if sure else "none")
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_yticks(range(len(changes)), list(changes))
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.set_xlabel(f"{metric} after the change / before; hollow: one seed, no interval")
    return figure
