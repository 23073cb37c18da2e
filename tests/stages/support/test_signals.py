"""A signal ends a command with one line, also where Python swallows the exception of its handler."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = """
import os, signal, typer
from stages.support import cli

class Left:
    def __del__(self):
        os.kill(os.getpid(), signal.{signal})

app = typer.Typer()

@app.command()
def main():
    Left()  # its exception is swallowed here
    cli._PATIENCE_SECONDS = {patience}
    os.kill(os.getpid(), signal.{signal})
    print("went on")

cli.command_line(app)
"""


@pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_second_signal_ends_what_the_first_could_not(signal: str, code: int, tmp_path: Path) -> None:
    for patience, expected in ((0.0, (code, "")), (60.0, (0, "went on\n"))):
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(signal=signal, patience=patience))
        done = subprocess.run(
            [sys.executable, str(script)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == expected
        assert done.stderr.count("interrupted; rerun the same command to resume") == 1
