"""The grid's FIDs in short."""

from collections.abc import Sequence
from typing import Any

from scipy import stats

from ddpm.quality.rank_agreement import kendall_tau
from stages.analysis.tables import Row, results


def summarise(rows: Sequence[Row], classifier: Row) -> dict[str, Any]:
    """FID by sampler, schedule and T, geometric means over the seeds, and how it was measured.

    Args:
        rows: of fid_of_T.csv, at least one.
        classifier: the digit classifier's own metrics, passed on.
    """
    table = results(rows)
    fid: dict[str, dict[str, dict[str, float]]] = {}
    for (sampler, schedule, T), mean in table.groupby(["sampler", "schedule", "T"])["fid"].agg(stats.gmean).items():
        fid.setdefault(sampler, {}).setdefault(schedule, {})[str(T)] = float(mean)
    best = rows[int(table["fid"].argmin())]
    names = ("extractor", "weights_sha256", "samples", "reference_images", "fid_floor", "fid_floor_std")
    return {
        "fid": fid,
        "best": {name: best[name] for name in ("schedule", "T", "seed", "sampler", "fid")},
        "classifier": classifier,
        "measured_with": {name: rows[0][name] for name in names},
        "metrics_agree_tau": kendall_tau(table["fid"], table["digits_distance"]),
    }
