"""One list of all commands, in the pipeline's order, and each is the module of its name."""

import re
import subprocess
import sys
from pathlib import Path

import yaml
from click.testing import CliRunner

from stages.__main__ import AROUND, PIPELINE, main
from tests.conftest import ROOT


def test_lists_every_command_in_the_order_of_the_pipeline() -> None:
    told = CliRunner().invoke(main, ["--help"], terminal_width=120).output
    listed = re.findall(r"^  (\w+)  +\S.*$", told.split("Commands:")[1], re.MULTILINE)
    assert listed == [*PIPELINE, *AROUND]
    modules = {path.stem for path in (ROOT / "stages").rglob("*.py") if "app = typer.Typer" in path.read_text()}
    assert set(listed) == modules
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert set(PIPELINE) == set(stages)
    order = list(PIPELINE)
    assert order.index("train") < order.index("sample") < order.index("fid") < order.index("aggregate")


def test_each_takes_one_line() -> None:
    told = CliRunner().invoke(main, ["--help"], terminal_width=120).output.split("Commands:")[1]
    assert len([line for line in told.splitlines() if line.strip()]) == len(PIPELINE + AROUND)


def test_runs_the_module_with_its_own_words(tiny_study: Path) -> None:
    command = [sys.executable, "-m", "stages", "audit", "--schedule", "cosine", "--T", "50"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"})
    assert "gain of x_T in the first reverse step" in done.stdout
    wrong = subprocess.run([*command[:-1], "1"], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)})
    assert wrong.returncode == 1
    assert re.fullmatch(r"error: [^\n]+\n", wrong.stderr)
