"""What cannot go together is refused when params.yaml is read, before anything is computed."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ddpm.errors import StudyError
from ddpm.features import inception
from stages.support import pairs, settings
from stages.tools.compose import composed
from tests.conftest import ROOT, edit_params

GRID = {"schedule": ["linear"], "T": [50], "seed": [0], "sampler": ["ancestral"]}


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The committed params.yaml in a folder of its own."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sample": {"images": 5000}}, "sample.images is 5,000, more than reference.floor_images, 4,000"),
        ({"reference": {"images": 500}}, "sample.images is 1,000, more than reference.images, 500"),
        ({"reference": {"images": 57_000}}, "reference.floor_images is 61,000, more than the training images, 60,000"),
        ({"validation": {"images": 4001}}, "validation.images is 4,001, more than reference.floor_images"),
        ({"validation": {"images": 1000}}, "more than what 2 of ten digits have of reference.floor_images, 760"),
        (
            {"validation": {"images": 2701, "levels": [0.1, 0.5]}},
            "what 6 of ten digits have of reference.floor_images, 2,280",
        ),
        ({"fid": {"kid_images": 20_000}}, "fid.kid_images is 20,000, more than reference.images, 10,000"),
        ({"fid": {"kid_block": 501}}, "2 x fid.kid_block is 1,002, more than sample.images, 1,000"),
        ({"fid": {"kid_images": 100}}, "2 x fid.kid_block is 200, more than fid.kid_images, 100"),
        ({"heldout": {"images": 400}}, "heldout.images_per_level is 500, more than heldout.images, 400"),
        ({"heldout": {"log_snr": [0, -1]}}, "heldout.log_snr: -1 after 0"),
        ({"validation": {"levels": [0.5, 0.25]}}, "validation.levels: 0.25 after 0.5"),
        ({"grid": {**GRID, "sampler": ["ancestral-60"]}}, "cannot take 60 sampling steps from T = 50"),
        ({"grid": {**GRID, "sampler": ["ancestrl"]}}, "unknown sampler 'ancestrl'; did you mean ancestral?"),
        (
            {"grid": {**GRID, "schedule": ["linear-zero-snr"], "sampler": ["clipped", "late-start-2"]}},
            "late-start-2 leaves no step on linear-zero-snr, whose alpha_bar_T is 0; choose more steps",
        ),
        (
            {"grid": {**GRID, "schedule": ["cosin"]}},
            "no group schedules.cosin; did you mean cosine? known are cosine, ",
        ),
        ({"grid": {**GRID, "T": [5]}}, "schedule linear, T = 5: beta at t ="),
        ({"ideal": {"T": [5]}}, "schedule linear, T = 5: beta at t ="),
        ({"network": {"channels": [8] * 4}}, "network: patch 2 and 4 levels do not divide"),
        ({"network": {"kind": "tiny"}}, "train.muon_learning_rate: Muon is for networks of kind unet only"),
        (
            {"network": {"kind": "tiny"}, "train": {"muon_learning_rate": 0}},
            "network.kind: unknown kind 'tiny'; choose one of unet, ",
        ),
        ({"extractor": "inception-2048"}, "unknown extractor 'inception-2048'; choose one of inception-nsfwjs-768, "),
        # what stands in names of files and stages
        ({"grid": {**GRID, "T": [50.0]}}, "grid.T.0: Input should be a valid integer, got 50.0"),
        ({"grid": {**GRID, "seed": [True]}}, "grid.seed.0: Input should be a valid integer, got True"),
        ({"grid": {**GRID, "seed": ["0"]}}, "grid.seed.0: Input should be a valid integer, got '0'"),
        ({"ideal": {"T": [50.0]}}, "ideal.T.0: Input should be a valid integer"),
        ({"grid": {**GRID, "schedule": ["a/b"]}}, "grid.schedule.0: String should match pattern"),
        ({"grid": {**GRID, "sampler": ["$(x)"]}}, "grid.sampler.0: String should match pattern"),
        # lists
        ({"grid": {**GRID, "seed": [0, 0, 0]}}, "grid.seed: 0 is listed 3 times; list it once"),
        ({"grid": {**GRID, "T": [50, 100, 50]}}, "grid.T: 50 is listed 2 times"),
        ({"grid": {**GRID, "schedule": ["linear", "linear"]}}, "grid.schedule: linear is listed 2 times"),
        ({"grid": {**GRID, "sampler": ["clipped", "clipped"]}}, "grid.sampler: clipped is listed 2 times"),
        ({"ideal": {"T": [50, 50]}}, "ideal.T: 50 is listed 2 times"),
        ({"heldout": {"log_snr": [0, 1, 1]}}, "heldout.log_snr: 1.0 is listed 2 times"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused_when_read(whole: Path, change: dict[str, Any], says: str) -> None:
    settings.load()
    edit_params(whole, **change)
    with pytest.raises(StudyError) as caught:
        settings.load()
    told = str(caught.value)
    assert says in told
    assert told.startswith("params.yaml: ")
    assert "\n" not in told


@pytest.mark.parametrize("preset", ["study", "smoke", "report", "course", "large"])
def test_presets_go_together(whole: Path, preset: str) -> None:
    (whole / "params.yaml").write_text(composed(ROOT / "conf", [f"preset={preset}"]))
    settings.load()


@pytest.mark.parametrize(
    ("change", "says"), [({"T": 60}, "chains.T is 60, not in grid.T"), ({"seed": 3}, "chains.seed")]
)
def test_a_chain_of_a_cell_outside_the_grid(whole: Path, change: dict[str, object], says: str) -> None:
    edit_params(whole, chains=change)
    with pytest.raises(StudyError, match=says):
        settings.load()


def test_kept_runs_are_read_as_they_are(whole: Path) -> None:
    edit_params(whole, sample={"images": 5000})
    (whole / "params.yaml").rename(whole / "kept.yaml")
    assert settings.read(whole / "kept.yaml").sample.images == 5000


def with_number(word: str) -> str:
    text = (ROOT / "params.yaml").read_text()
    assert "    beta_max: 0.01\n" in text
    return text.replace("    beta_max: 0.01\n", f"    beta_max: {word}\n", 1)


@pytest.mark.parametrize(
    ("word", "value"),
    [("2e-2", 0.02), ("1E-2", 0.01), ("2.e-2", 0.02), ("+3e-2", 0.03), ("2e-02", 0.02), (".02", 0.02)],
)
def test_numbers_as_dvc_reads_them(word: str, value: float) -> None:
    assert settings.parse(with_number(word)).schedules["linear"]["beta_max"] == value
    from dvc.utils.serialize import parse_yaml

    assert parse_yaml(with_number(word), "params.yaml")["schedules"]["linear"]["beta_max"] == value


@pytest.mark.parametrize(
    ("old", "new", "read"),
    [
        ("  learning_rate: 0.008", "  learning_rate: 8e-3", lambda p: p.train.learning_rate == 0.008),
        ("  draws: 40", "  draws: 4e1", lambda p: p.ranking.draws == 40),
        ("  images: 60000", "  images: 60_000", lambda p: p.train.images == 60_000),
        ("  log_ratio: 0.1", "  log_ratio: 1e-1", lambda p: p.diff.log_ratio == 0.1),
    ],
)
def test_every_number(old: str, new: str, read: Any) -> None:
    text = (ROOT / "params.yaml").read_text()
    assert old in text
    assert read(settings.parse(text.replace(old, new, 1)))


def test_extractors_that_need_no_look_into_the_library_are_its_own() -> None:
    assert set(pairs.EXTRACTORS) == set(inception.EXTRACTORS)


def test_torchvision_is_not_imported_to_read_parameters() -> None:
    code = "import sys; from stages.support import settings; settings.load(); sys.exit('torchvision' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_key_twice_is_refused() -> None:
    with pytest.raises(StudyError, match=r"not YAML: .*duplicate key"):
        settings.parse((ROOT / "params.yaml").read_text() + "extractor: inception-fid2015-2048\n")


def test_the_committed_file_means_the_same_to_both_readers() -> None:
    text = (ROOT / "params.yaml").read_text()
    assert settings.parse(text).model_dump(mode="json")["schedules"] == yaml.safe_load(text)["schedules"]


@pytest.mark.parametrize("override", ["nope=1", 'seed=""', "preset=nope", "preset=5", "network=null", "T=[", "epochs"])
def test_what_hydra_does_not_take_is_one_line(override: str) -> None:
    with pytest.raises(StudyError) as caught:
        composed(ROOT / "conf", [override])
    assert str(caught.value).endswith("; correct the overrides")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", range(20, 100, 7))
def test_no_part_of_an_address_is_left_where_a_value_is_cut(cut: int) -> None:
    name = "http://ann:" + "PW" * cut + "@host"
    with pytest.raises(StudyError) as caught:
        settings.parse((ROOT / "params.yaml").read_text().replace("  name: mnist", f"  name: {name}", 1))
    assert "PW" not in str(caught.value)
