"""How MLflow's page of runs compares the cells: two saved views, in its menu "Views" and behind the printed address.

MLflow keeps a saved view in a tag of the experiment, in the form below; a server that does not know it ignores the tag.
"""

import base64
import json
import zlib
from typing import Any

PREFIX = "mlflow.sharedViewState."  # of the tags
MEANS = "-means"  # ends the key of the view of means
SECTION = "fid"  # the group that the charts are in


def page(experiment: str, key: str, mode: str = "CHART") -> str:
    """What follows a server's address to open a view; a study's key is that of its charts."""
    return f"#/experiments/{experiment}/runs?viewStateShareKey={key}&compareRunsMode={mode}"


def note(experiment: str, study: str) -> str:
    """The description of the study's run, in Markdown."""
    charts = f"[FID = f(T) of all cells]({page(experiment, study)})"
    table = f"[means over the seeds]({page(experiment, study + MEANS, 'TABLE')})"
    return f"{charts}; {table}. Figures and the report are under Artifacts."


def saved(study: str, samplers: list[str]) -> dict[str, str]:
    """Names and values of the tags: FID against T, a point a cell, and a table of means over the seeds."""
    seeds = {"aggregateFunction": "average", "groupByKeys": [_tag("schedule"), _tag("T")]}
    views = {
        study: ("FID = f(T)", _state(study, samplers, None)),
        f"{study}{MEANS}": ("Means over the seeds", _state(study, samplers, seeds)),
    }
    return {f"{PREFIX}{key}": _packed(name, state) for key, (name, state) in views.items()}


def _tag(name: str) -> dict[str, str]:
    return {"mode": "tag", "groupByData": name}


def _packed(name: str, state: dict[str, Any]) -> str:
    """As the page packs a view: a tag holds 5,000 characters."""
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    return json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{packed}"})


def _state(study: str, samplers: list[str], groups: dict[str, Any] | None) -> dict[str, Any]:
    columns = [f"tags.`{name}`" for name in ("schedule", "T", "seed")]
    columns += [f"metrics.`fid.{sampler}`" for sampler in samplers] + ["metrics.`heldout.loss_simple`"]
    return {
        "searchFilter": f"tags.study = '{study}' and tags.current = 'yes'",
        "orderByKey": f"metrics.`fid.{samplers[0]}`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "runsHiddenMode": "SHOWALL",  # by default charts show ten runs
        "groupBy": groups,
        "compareRunCharts": [*map(_against_T, samplers), _losses()],
        "compareRunSections": [{"uuid": SECTION, "name": "FID = f(T)", "display": True}],
    }


def _chart(name: str, kind: str) -> dict[str, Any]:
    return {"uuid": name, "type": kind, "metricSectionId": SECTION, "runsCountToCompare": 100, "deleted": False}


def _against_T(sampler: str) -> dict[str, Any]:
    """The FIDs of one sampler; the colour of a run is its schedule's."""
    axes = {"xaxis": {"type": "PARAM", "key": "cell.T"}, "yaxis": {"type": "METRIC", "key": f"fid.{sampler}"}}
    return _chart(f"fid-{sampler}", "SCATTER") | axes


def _losses() -> dict[str, Any]:
    line = {"metricKey": "epoch_loss", "selectedMetricKeys": ["epoch_loss"], "xAxisKey": "step", "yAxisKey": "metric"}
    scales = {"scaleType": "log", "xAxisScaleType": "linear", "lineSmoothness": 0, "range": {}, "yAxisExpressions": []}
    return _chart("loss", "LINE") | line | scales
