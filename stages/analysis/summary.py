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
        f"Of T = {chosen['T'].min()} to {chosen['T'].max()}, {schedule} is best at T = {T}: FID {means.min():.2f} "
        f"({sampler} sampler); the baseline, FID of real training images outside the reference set, is "
        f"{chosen['fid_floor'].mean():.2f}."
    ]
    for name in chosen["schedule"].unique():
        of_T = means[name]
        low, high = of_T.idxmin(), of_T.idxmax()
        found.append(f"{name}: lowest FID {of_T[low]:.2f} (T = {low}), highest {of_T[high]:.2f} (T = {high}).")
    seeds = sorted(chosen["seed"].unique().tolist())
    one = "one training seed per configuration: differences of 0.1 or 0.2 are not evidence"
    names = ", ".join(map(str, seeds))
    more = f"{len(seeds)} training seeds ({names}), of which FIDs are geometric means"
    spread = one if len(seeds) == 1 else more
    return [*found, f"Measured with {rows[0]['samples']:,} samples per configuration and {spread}."]
