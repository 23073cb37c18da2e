"""The stages one after another on a tiny study: what they write, that they repeat to the byte, and how they refuse."""

import hashlib
import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from click import unstyle
from typer.testing import CliRunner

from ddpm import artifacts
from ddpm.errors import StudyError
from stages import (
    aggregate,
    baseline,
    embed,
    fid,
    reference,
    sample,
    schedules,
    train,
)
from stages.__main__ import AROUND, PIPELINE, module_of
from stages.support.cells import BASELINE, REFERENCE, WEIGHTS, Cell
from stages.tools import publish
from tests.conftest import edit_params
from tests.stage_runs import AXES, CELL, SAMPLER, run


def whole_cell(weights: artifacts.Arrays) -> None:
    artifacts.write_tensors(WEIGHTS, weights, {"weights": "nsfwjs"})
    run(schedules)
    run(reference)
    run(train, *AXES)
    run(sample, *AXES, *SAMPLER)
    run(embed, *AXES, *SAMPLER)
    run(fid, *AXES, *SAMPLER)
    run(baseline)


def hashes(root: Path) -> dict[str, str]:
    files = [p for folder in ("data", "metrics") for p in sorted((root / folder).rglob("*")) if p.is_file()]
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_cell_from_table_to_metric(tiny_study: Path, random_weights: artifacts.Arrays) -> None:
    whole_cell(random_weights)
    assert artifacts.read_npy(CELL.table).shape == (20,)
    log = artifacts.read_json_lines(CELL.log)
    assert [(r["epoch"], r["step"], r["images"]) for r in log] == [(1, 1, 32), (1, 2, 16), (2, 3, 32), (2, 4, 16)]
    images = artifacts.read_npy(CELL.samples("ancestral"))
    assert images.shape == (8, 28, 28)
    assert images.dtype == np.dtype(np.uint8)
    features, identity = artifacts.read_tensors(CELL.features("ancestral"))
    assert features["samples"].shape == (8, 768)
    assert identity["name"] == "inception-nsfwjs-768"
    assert identity["weights_sha256"] == hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    found = artifacts.read_json(CELL.metrics("ancestral"))
    floor = artifacts.read_json(BASELINE)
    assert found["fid"] > floor["fid_floor"] > 0
    assert found["fid_equal_n"] > floor["fid_equal_n_floor"] > floor["fid_floor"]  # fewer real images on the other side
    assert (found["samples"], found["reference_images"], floor["fid_floor_blocks"]) == (8, 16, 2)
    assert found["extractor"] == "inception-nsfwjs-768"
    assert artifacts.read_json(CELL.audit)["beta_T"] == pytest.approx(0.5)

    first = hashes(tiny_study)
    whole_cell(random_weights)
    assert hashes(tiny_study) == first  # no clock, host or run id in any output


def test_batch_size_of_sampling_changes_no_image(tiny_study: Path, random_weights: artifacts.Arrays) -> None:
    edit_params(tiny_study, compute={"precision": "float32"})
    whole_cell(random_weights)
    four = artifacts.read_npy(CELL.samples("ancestral")).astype(int)
    edit_params(tiny_study, sample={"batch_size": 8})
    run(sample, *AXES, *SAMPLER)
    eight = artifacts.read_npy(CELL.samples("ancestral")).astype(int)
    assert int(np.abs(four - eight).max()) <= 1  # a rounding of float32, at most one grey level


def test_respaced_sampling(tiny_study: Path, random_weights: artifacts.Arrays) -> None:
    whole_cell(random_weights)
    full = artifacts.read_npy(CELL.samples("ancestral"))
    run(sample, *AXES, "--sampler", "ancestral-5")
    assert not np.array_equal(artifacts.read_npy(CELL.samples("ancestral-5")), full)
    run(sample, *AXES, "--sampler", "ancestral-20")  # all of them
    assert np.array_equal(artifacts.read_npy(CELL.samples("ancestral-20")), full)


FIGURES = {"alpha_bar", "forward", "loss", "fid_of_T", "loss_against_fid", "samples_ancestral", "samples_clipped"}
FIGURES |= {"digits_of_T", "corruptions", "loss_at_log_snr", "first_step", "amplified_error"}


def test_aggregate_and_publish(whole_grid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    printed = CliRunner().invoke(aggregate.app, []).stdout
    assert "cosine, clipped" in printed
    assert "T = 30" in printed
    assert not Path("mlflow.db").exists()  # DVC may restore this stage without running it
    run(publish)
    rows = Path("metrics/fid_of_T.csv").read_text().splitlines()
    assert len(rows) == 1 + 8
    assert rows[0].startswith(
        "schedule,T,seed,sampler,loss,loss_simple,loss_common,end_error_mean,end_error_low,end_error_rest,extractor,fid"
    )
    summary = artifacts.read_json(Path("metrics/summary.json"))
    fids = {p.stem: list(artifacts.read_json(p)) for p in Path("metrics/fid").iterdir()}
    assert {name for name, of_T in fids.items() if of_T} == {"linear", "cosine"}
    assert fids["cosine"] == ["20", "30"]
    assert summary["measured_with"]["extractor"] == "inception-nsfwjs-768"
    assert summary["classifier"] == artifacts.read_json(Path("data/results/classifier.json"))
    assert {p.stem for p in Path("metrics/figures").iterdir()} == FIGURES
    audits, ideals = (artifacts.read_csv(Path(f"metrics/{name}.csv")) for name in ("schedules", "ideal"))
    assert [(row["schedule"], row["T"]) for row in audits] == [
        (schedule, T) for schedule in ("linear", "cosine") for T in (20, 30)
    ]
    assert audits[0] == {"schedule": "linear", "T": 20} | artifacts.read_json(CELL.audit)
    assert [row["fid"] for row in ideals[:2]] == list(artifacts.read_json(CELL.ideal)["fid"].values())
    assert len(ideals) == 4

    client = MlflowClient(f"sqlite:///{whole_grid}/mlflow.db")
    experiment = client.get_experiment_by_name("ddpm-mnist")
    assert experiment is not None

    def snapshot() -> dict[str, tuple[int, ...]]:
        runs = client.search_runs([experiment.experiment_id])
        histories = {r.info.run_id: client.get_metric_history(r.info.run_id, "loss") for r in runs}
        return {r.info.run_name or "": (len(histories[r.info.run_id]), len(r.data.metrics)) for r in runs}

    before = snapshot()
    assert len(before) == 5  # four cells and their study
    assert before["linear-20-0"][0] == 4  # a point a step
    cell = client.search_runs([experiment.experiment_id], "tags.cell = 'cosine-30-0'")[0]
    study = client.search_runs([experiment.experiment_id], "tags.cell = 'study'")[0]
    assert cell.data.tags["study_run"] == study.info.run_id
    assert cell.data.tags["dvc.model_md5"] == hashlib.md5(Cell("cosine", 30, 0).model.read_bytes()).hexdigest()
    assert cell.data.params["train.epochs"] == "2"
    assert cell.data.metrics["fid.clipped"] == artifacts.read_json(Cell("cosine", 30, 0).metrics("clipped"))["fid"]
    assert {f.path for f in client.list_artifacts(cell.info.run_id)} == {
        "model.json",
        "samples_ancestral.png",
        "samples_clipped.png",
    }
    assert "fid_of_T.png" in {f.path for f in client.list_artifacts(study.info.run_id)}

    run(publish)  # idempotent: the same runs, the same points
    run(aggregate)
    assert snapshot() == before

    # a run that was cut short is completed, not doubled
    client.delete_tag(cell.info.run_id, "complete")
    run(publish)
    assert snapshot() == before

    # files are the truth: no stage asks for a server, and a dead one is one line of error, in seconds
    Path("metrics/summary.json").unlink()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    run(aggregate)
    assert Path("metrics/summary.json").exists()
    with pytest.raises(StudyError, match=r"python -m stages\.tools\.publish"):
        run(publish)


def test_aggregate_reads_the_grid_and_nothing_else(whole_grid: Path) -> None:
    edit_params(whole_grid, grid={"schedule": ["cosine"], "T": [20]})
    run(aggregate)
    assert len(Path("metrics/fid_of_T.csv").read_text().splitlines()) == 1 + 2


def test_extractors_are_never_mixed(whole_grid: Path) -> None:
    path = Cell("cosine", 20, 0).metrics("clipped")
    artifacts.write_json(path, artifacts.read_json(path) | {"extractor": "another"})
    with pytest.raises(StudyError, match="cells differ in extractor: another, inception-nsfwjs-768"):
        run(aggregate)
    features, identity = artifacts.read_tensors(REFERENCE)
    artifacts.write_tensors(REFERENCE, features, identity | {"weights_sha256": "0"})
    with pytest.raises(StudyError, match="differ from the reference's in weights_sha256"):
        run(fid, *AXES, *SAMPLER)


def test_weights_of_another_extractor_are_refused(tiny_study: Path, random_weights: artifacts.Arrays) -> None:
    artifacts.write_tensors(WEIGHTS, random_weights, {"weights": "fid2015"})
    with pytest.raises(StudyError, match="holds the weights 'fid2015'"):
        run(reference)


@pytest.mark.parametrize("name", [*PIPELINE, *AROUND])
def test_help_begins_with_what_the_module_says_it_does(name: str) -> None:
    module = importlib.import_module(module_of(name))
    help_text = unstyle(CliRunner().invoke(module.app, ["--help"]).stdout).strip()
    _, said = re.split(r"\n\s*\n", help_text, maxsplit=1)  # after the lines of usage
    assert module.__doc__
    first = module.__doc__.splitlines()[0]
    assert " ".join(said.split())[: len(first)] == first


def test_progress_is_plain_lines_when_not_a_terminal(tiny_study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from stages.support.cli import progress

    with progress("train x", 10, "images") as advance:
        advance(4)
        advance(6)
    assert re.fullmatch(r"train x: 10/10 images, [\d,]+/s\n", capfd.readouterr().err)
