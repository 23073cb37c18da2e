"""One list of all commands, in the pipeline's order, and each is the module of its name."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    bodies = {name: stages[name].get("do", stages[name]) for name in PIPELINE}
    for place, name in enumerate(PIPELINE):
        for later in PIPELINE[place + 1 :]:
            made = paths(bodies[later], "outs", "metrics", "plots")
            needs = paths(bodies[name], "deps")
            folders = [(need, out) for need in needs for out in made if f"{out}/".startswith(f"{need}/")]
            assert not folders, (name, later)


def paths(body: dict[str, list[Any]], *kinds: str) -> list[str]:
    """The paths of a stage; of a cell, with the axes' names in them."""
    found = [path if isinstance(path, str) else next(iter(path)) for kind in kinds for path in body.get(kind, [])]
    return [path.replace("${chains.", "${item.") for path in found]


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
