"""DVC for real, on the real dvc.yaml and conf/, with stages that take no time: what reruns when what changes."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.dvc_study import Study, counts, in_parallel, of_cells

TABLES = {"aggregate": 1, "claims": 1}
AFTER_CELLS = {"digits": 1, "ranking": 1, "aggregate": 1, "claims": 1, "comparisons": 1, "report": 1}


def test_cells_in_parallel_from_nothing(study: Study, tmp_path: Path) -> None:
    study.call("git", "clone", "-q", ".", str(tmp_path / "clone"))
    study.root = tmp_path / "clone"
    study.edit("params.yaml", "learning_rate: 0.008", "learning_rate: 0.002")  # so that no lock entry fits
    once = {"mnist": 1, "weights": 1, "reference": 1, "classifier": 1}  # both equal: the rest on them stands
    assert in_parallel(study) == of_cells(counts(6, 6, schedule=6, **once))
    assert study.dvc("repro") == AFTER_CELLS | {"chains": 3}


def test_cells_in_parallel_when_some_are_done(study: Study) -> None:
    study.edit("params.yaml", "    s: 0.002", "    s: 0.01")
    assert in_parallel(study) == of_cells(counts(2, 2, schedule=2, ideal=1))
    assert study.dvc("repro") == AFTER_CELLS | {"chains": 1}
    assert in_parallel(study) == {}


def test_nothing_changed_nothing_runs(study: Study) -> None:
    assert study.dvc("repro") == {}


def test_one_column_by_selector(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "schedule=cosine") == AFTER_CELLS
    assert yaml.safe_load((study.root / "params.yaml").read_text())["grid"]["schedule"] == ["cosine"]
    assert (study.root / "metrics/summary.json").read_text() == '{"cells": 2}'


def test_the_way_back_from_a_column(study: Study) -> None:
    study.dvc("exp", "run", "-S", "schedule=cosine")
    study.call("git", "checkout", ".")
    study.call("dvc", "checkout")
    assert study.dvc("repro") == {}
    assert (study.root / "metrics/summary.json").read_text() == '{"cells": 6}'


def test_two_schedules_and_one_T(study: Study) -> None:
    ran = study.dvc("exp", "run", "-S", 'schedule="linear,cosine"', "-S", "T=100")
    assert ran == AFTER_CELLS | {"chains": 2}  # those at the grid's first T
    assert (study.root / "metrics/summary.json").read_text() == '{"cells": 2}'


def test_a_schedules_number_reruns_its_column(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "schedules.cosine.s=0.01") == counts(2, 2, schedule=2, ideal=1)
    assert {line.split()[1] for line in study.ran() if line.startswith("train")} == {"cosine"}


def test_learning_rate_reruns_all_cells(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "train.learning_rate=0.002") == counts(6, 6)


def test_sample_count_keeps_the_models(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "sample.images=64") == counts(0, 6)


def test_kid_images_keeps_the_features(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "fid.kid_images=100") == {
        "fid": 6,  # equal distances
        "aggregate": 1,
        "claims": 1,
        "comparisons": 1,  # which say what belongs to a study
        "report": 1,
    }


def test_extractor_keeps_the_samples(study: Study) -> None:
    changed = study.dvc("exp", "run", "-S", "extractor=inception-nsfwjs-2048")
    assert changed == counts(0, 0, embed=6, reference=1, weights=1, validate=1, ideal=3)


def test_a_new_T_runs_its_cells_alone(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", 'T="50,100,1600"') == counts(3, 3, schedule=3, chains=0)
    assert {line.split()[2] for line in study.ran() if line.startswith("train")} == {"1600"}


def test_a_new_seed_runs_its_cells_alone(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", 'seed="0,1"') == counts(6, 6, chains=0)
    assert {line.split()[3] for line in study.ran() if line.startswith("train")} == {"1"}


def test_a_new_sampler_samples_alone(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", 'sampler="ancestral,ddim"') == counts(0, 6)


def test_a_new_schedule_runs_alone(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", 'schedule="linear,cosine,sigmoid,linear-ho"') == counts(
        2, 2, schedule=2, ideal=1
    )


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("stages/figures/plots.py", {"aggregate": 1, "report": 1}),
        ("stages/tools/tracking.py", {}),
        ("ddpm/quality/frechet.py", {"fid": 6, "validate": 1, "ideal": 3, "digits": 1, "ranking": 1, **TABLES}),
        # equal tables: no model is trained again
        ("ddpm/schedules.py", {"schedule": 6, "ideal": 3, **TABLES}),
        ("ddpm/sampling/samplers.py", {"sample": 6, "ideal": 3, "chains": 3, "claims": 1}),  # equal samples
        ("ddpm/training/loop.py", {"train": 6}),
        ("conf/claims.yaml", {"claims": 1}),
        ("conf/comparisons.yaml", {"comparisons": 1}),
    ],
)
def test_edited_code_reruns_what_it_can_change(study: Study, file: str, expected: dict[str, int]) -> None:
    with (study.root / file).open("a") as source:
        source.write("\n# edited\n")
    assert study.dvc("repro") == expected


def test_an_import_is_no_change(study: Study) -> None:
    """Python writes byte code into the folders that stages depend on."""
    study.call(sys.executable, "-c", "import ddpm.classifier, ddpm.core.rng, ddpm.network.unet, stages.train")
    assert (study.root / "ddpm/core/__pycache__").exists()
    assert (study.root / "stages/inputs/__pycache__").exists() or (study.root / "stages/__pycache__").exists()
    assert study.dvc("repro") == {}


def test_queue_fills_the_cache_for_repro(study: Study) -> None:
    study.dvc("exp", "run", "--temp", "-S", "sample.images=64")
    assert (study.root / "metrics/summary.json").read_text() == '{"cells": 6}'
    study.edit("params.yaml", "sample:\n  images: 1000", "sample:\n  images: 64")
    # only the two whose uncached outputs keep them out of DVC's run cache
    assert study.dvc("repro") == {"digits": 1, "aggregate": 1, "report": 1}


def test_metrics_and_plots(study: Study) -> None:
    study.dvc("exp", "run", "-S", "schedules.cosine.s=0.01")
    shown = study.call("dvc", "metrics", "show", "--json")
    assert "metrics/cells/cosine-50-0-ancestral.json" in shown
    changed = study.call("dvc", "metrics", "diff", "--json")
    assert "cosine-50-0-ancestral" in changed
    assert "linear-50-0-ancestral" not in changed
    study.call("dvc", "plots", "show", "--out", "plots")
    page = (study.root / "plots" / "index.html").read_text()
    assert "cosine" in page
    assert "sampler" in page


def test_dry_run_tells_a_fresh_clone_whether_the_lock_is_current(study: Study, tmp_path: Path) -> None:
    study.call("git", "clone", "-q", ".", str(tmp_path / "clone"))
    clone = Study.__new__(Study)
    clone.root, clone.env, clone.ran_file = tmp_path / "clone", study.env, study.ran_file
    command = ["dvc", "repro", "--allow-missing", "--dry"]
    assert "Running stage" not in clone.call(*command)
    clone.edit("params.yaml", "learning_rate: 0.008", "learning_rate: 0.002")
    # without the data DVC cannot even plan the stage, and says which: its words count, not its exit code alone
    stale = subprocess.run(command, cwd=clone.root, env=clone.env, capture_output=True, text=True)
    assert "failed to reproduce 'train@linear-50-0'" in stale.stderr
    assert "'schedule@linear-50' didn't change" in stale.stdout
