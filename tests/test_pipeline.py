"""DVC for real, on the real dvc.yaml and conf/, with stages that take no time: what reruns when what changes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.utils.serialize import load_yaml

from tests.dvc_study import Study, counts, in_parallel, of_cells

AFTER_CELLS = {"digits": 1, "ranking": 1, "aggregate": 1, "claims": 1, "comparisons": 1, "report": 1}


def cells(study: Study) -> int:
    """How many cells the summary is of."""
    return int(json.loads((study.root / "metrics/summary.json").read_text())["cells"])


def test_cells_in_parallel_from_nothing(study: Study, tmp_path: Path) -> None:
    study.call("git", "clone", "-q", ".", str(tmp_path / "clone"))
    study.root = tmp_path / "clone"
    study.edit("params.yaml", "learning_rate: 0.008", "learning_rate: 0.002")  # so that no lock entry fits
    once = {"mnist": 1, "weights": 1, "reference": 1, "classifier": 1, "baseline": 1}  # validate's outputs are in Git
    assert in_parallel(study) == of_cells(counts(2, 2, schedules=1, ideal=2, **once))
    assert study.dvc("repro") == AFTER_CELLS | {"chains": 2, "prune": 1}


def test_cells_in_parallel_when_some_are_done(study: Study) -> None:
    study.edit("params.yaml", "    s: 0.002", "    s: 0.01")
    assert in_parallel(study) == of_cells(counts(1, 1, schedules=1, ideal=1))
    assert study.dvc("repro") == AFTER_CELLS | {"chains": 1}
    assert in_parallel(study) == {}


def test_nothing_changed_nothing_runs(study: Study) -> None:
    assert study.dvc("repro") == {}


def test_one_column_by_selector(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "schedule=cosine") == AFTER_CELLS | {"prune": 1, "schedules": 1}
    assert yaml.safe_load((study.root / "params.yaml").read_text())["grid"]["schedule"] == ["cosine"]
    assert cells(study) == 1


def test_dvcs_own_lock_is_the_fast_one(study: Study, tmp_path: Path) -> None:
    study.edit("params.yaml", "    s: 0.002", "    s: 0.01")
    shutil.copytree(study.root, tmp_path / "slow", symlinks=True)
    assert study.dvc("repro") == AFTER_CELLS | of_cells(counts(1, 1, schedules=1, ideal=1)) | {"chains": 1}
    fast = study.root / "dvc.lock"
    study.root = tmp_path / "slow"
    study.call(sys.executable, "-m", "dvc", "repro")
    assert (study.root / "dvc.lock").read_bytes() != fast.read_bytes()  # laid out in another way, so it is DVC's own
    for read in (load_yaml, lambda path: yaml.load(Path(path).read_text(), yaml.CSafeLoader)):
        assert read(str(study.root / "dvc.lock")) == read(str(fast))
    shutil.copy(fast, study.root)
    assert study.call(sys.executable, "-m", "dvc", "status").strip() == "Data and pipelines are up to date."


BACK = "git checkout . && dvc checkout"


def test_the_way_back_from_a_column(study: Study) -> None:
    study.dvc("exp", "run", "-S", "schedule=cosine")
    changed = study.call("git", "status", "--porcelain").splitlines()
    assert {line[:2] for line in changed} == {" M"}  # nothing that Git keeps is deleted
    study.call("bash", "-c", BACK)
    assert study.dvc("repro") == {"prune": 1}  # which notes the cells of the grid
    assert study.dvc("repro") == {}
    assert len(list((study.root / "data/samples").iterdir())) == 2
    assert cells(study) == 2


def test_a_schedules_number_reruns_its_column(study: Study) -> None:
    assert study.change("schedules.cosine.s=0.01") == counts(1, 1, schedules=1, ideal=1)
    assert {line.split()[1] for line in study.ran() if line.startswith("train")} == {"cosine"}


def test_learning_rate_reruns_all_cells(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "train.learning_rate=0.002") == counts(2, 2)


def test_sample_count_keeps_the_models(study: Study) -> None:
    assert study.change("sample.images=256") == counts(0, 2, baseline=1)


def test_kid_images_keeps_the_features(study: Study) -> None:
    """The distances are equal; what follows says what belongs to a study."""
    once = dict.fromkeys(("aggregate", "claims", "comparisons", "report"), 1)
    assert study.change("fid.kid_images=100") == {"fid": 2, **once}


def test_extractor_keeps_the_samples(study: Study) -> None:
    changed = study.change("extractor=inception-nsfwjs-2048")
    assert changed == counts(0, 0, embed=2, reference=1, weights=1, validate=1, ideal=2, baseline=1)


def test_a_new_T_runs_its_cells_alone(study: Study) -> None:
    assert study.change('T="50,1600"') == counts(2, 2, schedules=1, chains=0, prune=1)
    assert {line.split()[2] for line in study.ran() if line.startswith("train")} == {"1600"}
    ran = study.change('schedule="linear,cosine"', "T=1600")  # cells that are there
    assert ran == AFTER_CELLS | {"schedules": 1, "chains": 2, "prune": 1}  # those at the grid's first T
    assert cells(study) == 2


def test_a_new_seed_runs_its_cells_alone(study: Study) -> None:
    assert study.change('seed="0,1"') == counts(2, 2, chains=0, prune=1)
    assert {line.split()[3] for line in study.ran() if line.startswith("train")} == {"1"}


def test_a_new_sampler_samples_alone(study: Study) -> None:
    assert study.change('sampler="ancestral,ddim"') == counts(0, 2, prune=1)


def test_a_new_schedule_runs_alone(study: Study) -> None:
    assert study.change('schedule="linear,cosine,linear-ho"') == counts(1, 1, schedules=1, ideal=1, prune=1)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("stages/figures/plots.py", {"aggregate": 1, "report": 1}),
        ("stages/tools/tracking.py", {}),
        (
            "ddpm/quality/frechet.py",
            {
                "fid": 2,
                "validate": 1,
                "ideal": 2,
                "digits": 1,
                "ranking": 1,
                "aggregate": 1,
                "claims": 1,
                "baseline": 1,
            },
        ),
        # equal tables: no model is trained again
        ("ddpm/schedules.py", {"schedules": 1, "ideal": 2, "aggregate": 1, "claims": 1}),
        ("ddpm/sampling/samplers.py", {"sample": 2, "ideal": 2, "chains": 2, "claims": 1}),  # equal samples
        ("ddpm/training/loop.py", {"train": 2}),
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
    study.call(sys.executable, "-m", "compileall", "-q", "ddpm", "stages")
    assert (study.root / "ddpm/core/__pycache__").exists()
    assert (study.root / "stages/inputs/__pycache__").exists()
    assert study.dvc("repro") == {}


def test_what_another_seed_left_makes_nothing_stale(study: Study) -> None:
    def seeds(folder: str) -> list[str]:
        return sorted(path.name.split("-")[2].split(".")[0] for path in (study.root / "data" / folder).iterdir())

    lock = (study.root / "dvc.lock").read_text()
    study.change('seed="1"')
    assert (seeds("samples"), seeds("models")) == (["1"] * 2, ["0"] * 2 + ["1"] * 2)  # no stage reads data/models
    study.call("git", "checkout", ".")  # without `dvc checkout`, which takes away the other seed's files as well
    assert study.dvc("repro") == {"prune": 1}
    assert (seeds("samples"), seeds("models")) == (["0"] * 2, ["0"] * 2 + ["1"] * 2)
    assert (study.root / "dvc.lock").read_text() == lock
    # the other seed's cells are in DVC's cache: they are restored, not run
    assert study.change('seed="1"') == AFTER_CELLS | {"prune": 1}


def test_where_the_data_come_from_changes_nothing(study: Study) -> None:
    assert study.dvc("exp", "run", "-S", "data.directory=elsewhere") == {}


def test_queue_fills_the_cache_for_repro(study: Study) -> None:
    study.dvc("exp", "run", "--temp", "-S", "sample.images=256")
    assert cells(study) == 2
    study.edit("params.yaml", "sample:\n  images: 1000", "sample:\n  images: 256")
    # only those whose uncached outputs keep them out of DVC's run cache: seconds of the whole
    assert study.dvc("repro") == AFTER_CELLS


def test_metrics_and_plots(study: Study) -> None:
    study.change("schedules.cosine.s=0.01")
    shown = study.call("dvc", "metrics", "show").splitlines()
    schedules = yaml.safe_load((study.root / "params.yaml").read_text())["schedules"]
    assert [line.split()[0] for line in shown] == ["Path", *sorted(f"metrics/fid/{name}.json" for name in schedules)]
    assert max(map(len, shown)) <= 80
    changed = study.call("dvc", "metrics", "diff")
    assert "metrics/fid/cosine.json" in changed
    assert "linear" not in changed
    told = subprocess.run([sys.executable, "-m", "stages.tools.diff"], cwd=study.root, capture_output=True, text=True)
    assert "| cosine-50-0-ancestral |" in told.stdout
    assert "| linear-50-0-ancestral |" not in told.stdout
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
    assert "'schedules' didn't change" in stale.stdout
