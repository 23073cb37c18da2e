"""Whether the first reverse step alone explains what the clip gains cosine."""

import math

import pandas as pd

from ddpm.errors import StudyError
from stages.analysis import statistics
from stages.analysis.tables import Finding, Tables, factor, per_seed, spread

FIRST_STEP = "clipped-first"  # clips in the first reverse step only
REST = "clipped-rest"  # in all others
LATE_START = "late-start"  # begins at t = T - 1
SAMPLERS = (FIRST_STEP, REST, LATE_START)


def _share(gain: pd.Series, of: pd.Series) -> float:
    """Mean of one gain in units of another's, over the seeds that have both; NaN where none has."""
    both = pd.concat([gain, of], axis=1).dropna().mean()
    return float(both.iloc[0] / both.iloc[1])


def one_step(tables: Tables, share: float) -> Finding:
    """Whether clipping in the first reverse step alone gains cosine this share of what clipping in all steps gains.

    A ratio of two gains has no t test; gain of one less share times gain of the other has (Fieller 1954).
    """
    if not tables.has(FIRST_STEP, ["cosine"]):
        raise StudyError(f"there are no cells of {FIRST_STEP} on cosine yet")
    logs = {"ancestral": tables.logs(tables.quality, "cosine", "ancestral").mean(axis=1)}
    for sampler in ("clipped", *SAMPLERS):
        if tables.has(sampler, ["cosine"]):
            logs[sampler] = tables.logs(tables.quality, "cosine", sampler).mean(axis=1)
    gains = {name: (logs["ancestral"] - values).dropna() for name, values in logs.items() if name != "ancestral"}
    gains = {name: values for name, values in gains.items() if len(values)}
    if not {"clipped", FIRST_STEP} <= set(gains):
        raise StudyError(f"no seed has ancestral, clipped and {FIRST_STEP} on cosine")
    gained = statistics.above(per_seed(gains["clipped"]), 0.0, tables.confidence)
    rest = per_seed(gains[FIRST_STEP] - share * gains["clipped"])
    found = statistics.given(gained, statistics.above(rest, 0.0, tables.confidence))
    details = {f"gain by {name}, log ratio": float(values.mean()) for name, values in gains.items()}
    shares = {name: _share(gains[name], gains["clipped"]) if name in gains else math.nan for name in SAMPLERS}
    details |= {f"share of {name}": value for name, value in shares.items()}
    names = {REST: "clipping in all other steps", LATE_START: "leaving the first step out"}
    others = "".join(f"; {said} {shares[name]:.2f}" for name, said in names.items() if math.isfinite(shares[name]))
    both = pd.concat([gains["clipped"], gains[FIRST_STEP]], axis=1, keys=["clipped", "first"]).dropna()
    clipping = statistics.above(-both["clipped"], 0.0, tables.confidence)
    of_seeds = both["first"] / both["clipped"]
    by_seed = f" ({of_seeds.min():.2f} to {of_seeds.max():.2f} by seed)" if len(both) > 1 else ""
    plain = (
        f"clipping multiplies cosine's distance by {factor(clipping.estimate)}{spread(clipping.low, clipping.high)}; "
        f"as a share of that (in logarithms; the shares overlap), clipping in the first reverse step alone gives "
        f"{shares[FIRST_STEP]:.2f}{by_seed}{others}"
    )
    return Finding(found, f"gain by {FIRST_STEP} less {share:g} of that by clipped, log ratio", plain, details)
