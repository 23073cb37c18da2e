"""MLflow's page compares the cells at once: FID against T as a chart, and means over the seeds as a table."""

from pathlib import Path
from typing import Any

import pytest

from stages.support import settings
from stages.tools import publish, store, tracking, views
from tests.browser import chromium
from tests.mlflow_server import serving
from tests.stage_runs import run

# the points of all charts of FID against T, as [x, y, colour]
POINTS = """() => [...document.querySelectorAll('.js-plotly-plot')]
    .filter(chart => chart.layout.yaxis.title?.text === 'fid.ancestral')
    .flatMap(chart => chart.data)
    .flatMap(line => [...line.x].map((x, i) => [x, line.y[i], [line.marker.color].flat()[i] ?? line.marker.color]))"""


def cells(client: Any) -> Any:
    experiment = client.get_experiment_by_name(store.EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    return experiment, {found.data.tags["cell"]: found for found in runs}


def test_the_views_in_a_browser(aggregated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # a busy machine is no dead server
    with serving(f"sqlite:///{tmp_path / 'served.db'}", tmp_path / "served") as uri, chromium() as browser:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        done = tracking.publish(settings.load())
        experiment, runs = cells(MlflowClient(uri))
        study = runs.pop("study")
        context = browser.new_context(viewport={"width": 1800, "height": 1000})  # type: ignore[attr-defined]
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(f"{uri}/{done.page}")
        page.wait_for_function(f"({POINTS})().length >= 4")
        drawn = page.evaluate(POINTS)
        fids = {(float(r.data.params["cell.T"]), r.data.metrics["fid.ancestral"]) for r in runs.values()}
        assert {(float(x), y) for x, y, _ in drawn} == fids
        assert {colour for *_, colour in drawn} == {r.data.tags["mlflow.runColor"] for r in runs.values()}

        page.goto(f"{uri}/#/experiments/{experiment.experiment_id}/runs/{study.info.run_id}")
        with context.expect_page() as opened:
            page.get_by_role("link", name="means over the seeds").click()
        table = opened.value
        table.get_by_text("Group by: schedule").wait_for()
        for name in runs:
            table.get_by_text(name, exact=True).wait_for()
        assert table.get_by_text("study", exact=True).count() == 0


def test_what_a_user_makes_of_a_view_stays(whole_grid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{whole_grid / store.DATABASE}")
    run(publish)
    client, number = store.connect()
    experiment, runs = cells(client)
    names = sorted(name for name in experiment.tags if name.startswith(views.PREFIX))
    assert len(names) == 2
    assert all(len(experiment.tags[name]) < 5000 for name in names)  # MLflow's limit
    client.set_experiment_tag(number, names[0], "mine")
    client.set_tag(runs["study"].info.run_id, "mlflow.note.content", "mine too")
    run(publish)
    experiment, runs = cells(client)
    assert experiment.tags[names[0]] == "mine"
    assert runs["study"].data.tags["mlflow.note.content"] == "mine too"


def test_long_lists_of_samplers_fit() -> None:
    samplers = ["ancestral", "clipped", "ddim", "clipped-first", "clipped-rest", "late-start"]
    samplers += [f"{name}-{steps}" for name in samplers[:3] for steps in (10, 25, 50, 100)]
    assert all(len(value) < 5000 for value in views.saved("0" * 12, samplers).values())
