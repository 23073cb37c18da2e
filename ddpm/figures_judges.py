"""Figures about the judges and about losses on held-out images."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ddpm.figures import Row, colours, plain_log_axis

_JUDGES = {"fid": "Inception", "digits_distance": "classifier of digits"}


def disturbances(rows: Sequence[Row]) -> Figure:
    """Both judges' distance against the degree of each disturbance (Heusel et al. 2017, figure 3).

    Args:
        rows: ``disturbance``, ``level``, ``fid``, ``digits_distance``; a judge's distances are drawn relative to its
            distance for the untouched images, so that both share an axis.
    """
    names = list(dict.fromkeys(row["disturbance"] for row in rows))
    figure = Figure(figsize=(2.6 * -(-len(names) // 2), 5.2), layout="constrained")
    panels = figure.subplots(2, -(-len(names) // 2), sharex=True, squeeze=False).flat
    for axes, name in zip(panels, names, strict=False):
        chosen = sorted((row for row in rows if row["disturbance"] == name), key=lambda row: float(row["level"]))
        for judge, label in _JUDGES.items():
            values = np.array([row[judge] for row in chosen])
            falls = bool((np.diff(values) <= 0).any())
            axes.plot(
                [row["level"] for row in chosen],
                values / values[0],
                "o--" if falls else "o-",
                label=label if name == names[0] else None,
            )
        axes.set_title(name, fontsize=10)
        axes.set_yscale("log")
    figure.supxlabel("degree of the disturbance")
    figure.supylabel("distance, relative to untouched digits")
    figure.legend(loc="outside upper center", ncols=2, title="dashed: not rising with every degree")
    return figure


def loss_at_log_snr(curves: Mapping[tuple[str, int], Mapping[float, float]]) -> Figure:
    """Held-out loss at equal noise levels, where schedules can be compared.

    Args:
        curves: (schedule, T) -> log SNR -> mean of (eps - eps_theta)^2, seeds averaged; smaller T are drawn fainter.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    shades = colours([schedule for schedule, _ in curves])
    largest = max((T for _, T in curves), default=0)
    for (schedule, T), curve in curves.items():
        label = f"{schedule}, T = {T}" if largest == T else None
        alpha = 1 if largest == T else 0.3
        axes.plot(list(curve), list(curve.values()), color=shades[schedule], alpha=alpha, label=label)
    axes.set(xlabel="log SNR", ylabel=r"held-out loss, mean of $(\epsilon - \epsilon_\theta)^2$")
    plain_log_axis(axes)
    if curves:
        axes.legend()
    return figure
