"""params.yaml is written whole and valid, or not at all."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ddpm.errors import StudyError
from stages.tools import compose, experiments
from tests.conftest import ROOT


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "conf", tmp_path / "conf"))


def test_what_is_written_is_what_was_composed(tmp_path: Path) -> None:
    output = tmp_path / "folder" / "params.yaml"  # a folder that is not there yet
    done = CliRunner().invoke(compose.app, ["train.epochs=7", "--output", str(output), "--conf", str(ROOT / "conf")])
    assert done.exit_code == 0
    assert output.read_text() == compose.composed(ROOT / "conf", ["train.epochs=7"])
    assert output.read_text() != compose.composed(ROOT / "conf", [])


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.epochs=-1", "train.epochs: Input should be greater than or equal to 1, got -1"),
        ("chains.T=70", "chains.T"),
        ("nope=1", "correct the overrides"),
    ],
)
def test_parameters_that_the_stages_refuse_are_not_written(override: str, says: str, tmp_path: Path) -> None:
    output = tmp_path / "params.yaml"
    output.write_text("as it was")
    with pytest.raises(StudyError, match=says) as caught:
        compose.main([override], output, ROOT / "conf")
    assert "\n" not in str(caught.value)
    assert output.read_text() == "as it was"


def test_a_file_that_differs_from_the_configuration_is_named_and_kept(tmp_path: Path, conf: Path) -> None:
    output = tmp_path / "params.yaml"
    command = ["--compare", "--output", str(output), "--conf", str(conf)]
    assert CliRunner().invoke(compose.app, ["train.epochs=7", *command[1:]]).exit_code == 0
    assert CliRunner().invoke(compose.app, ["train.epochs=7", *command]).stderr == ""
    before = output.read_text()
    done = CliRunner().invoke(compose.app, command)
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        f"note: {output} differs from what {conf} says; to follow {conf}: `make compose`"
    ]
    assert output.read_text() == before
    output.unlink()
    absent = CliRunner().invoke(compose.app, command).exception
    assert isinstance(absent, StudyError)
    assert str(absent).endswith("params.yaml: cannot read: No such file or directory; run `make compose`")


@pytest.mark.parametrize("text", ["train: {epochs: [}\n", "a: b: c\n", "\t- x"])
def test_a_configuration_that_is_not_yaml_is_one_line(text: str, conf: Path) -> None:
    (conf / "config.yaml").write_text(text)
    with pytest.raises(StudyError, match=r"conf: not YAML: .*config\.yaml.*; correct it") as caught:
        compose.composed(conf, [])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["defaults: 5\n", "x: ${\n", "a: &a [*a]\n", "[" * 3000 + "]" * 3000])
def test_a_configuration_that_hydra_does_not_take_is_one_line(text: str, conf: Path) -> None:
    (conf / "config.yaml").write_text(text)
    with pytest.raises(StudyError, match=r"conf: .+; correct it$") as caught:
        compose.composed(conf, [])
    assert "\n" not in str(caught.value)


def test_a_configuration_that_is_not_utf_8_is_one_line(conf: Path) -> None:
    (conf / "config.yaml").write_bytes("# Trémenbert\n".encode("latin-1") + (conf / "config.yaml").read_bytes())
    with pytest.raises(StudyError, match=r"conf: a file that is not UTF-8; save it as UTF-8$"):
        compose.composed(conf, [])


@pytest.mark.parametrize("override", ["schedule=cosin", "chains.T=77", "sampler=ddmi"])
def test_an_experiment_that_the_stages_would_refuse_is_named(override: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    mine = experiments.Experiment(question="q", overrides=(override,))
    with pytest.raises(StudyError, match=r"^conf/campaign\.yaml, mine: "):
        experiments.state_of("mine", mine, set())
