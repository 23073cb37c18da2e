"""The results in a few sentences, every number from the tables."""

from collections.abc import Sequence

from scipy import stats

from stages.analysis.tables import Row, results


def sentences(rows: Sequence[Row], sampler: str) -> list[str]:
    """The best schedule and T, the range over T of every schedule, and what it was measured with.

    Args:
        rows: of fid_of_T.csv, at least one.
        sampler: whose rows count; that of the first row where there are none of it.
    """
    table = results(rows)
    sampler = sampler if (table["sampler"] == sampler).any() else table["sampler"].iloc[0]
    chosen = table[table["sampler"] == sampler]
    means = chosen.groupby(["schedule", "T"], sort=False)["fid"].agg(stats.gmean)
    schedule, T = means.idxmin()
    found = [
        f"Best is {schedule} at T = {T}: FID {means.min():.2f} ({sampler} sampler); the baseline, FID of held-out real "
        f"images, is {chosen['fid_floor'].mean():.2f}."
    ]
    for name in chosen["schedule"].unique():
        of_T = means[name]
        low, high = of_T.idxmin(), of_T.idxmax()
        found.append(f"{name}: from {of_T[low]:.2f} at T = {low} to {of_T[high]:.2f} at T = {high}.")
    seeds = chosen["seed"].nunique()
    one = "one training seed per configuration: differences of 0.1 or 0.2 are not evidence"
    spread = one if seeds == 1 else f"{seeds} training seeds per configuration, of which FIDs are geometric means"
    return [*found, f"Measured with {rows[0]['samples']:,} samples per configuration and {spread}."]
