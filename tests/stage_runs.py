"""Running a stage's command in this process, on the one cell that most tests use."""

from types import ModuleType

from typer.testing import CliRunner

from stages.support.cells import Cell

CELL = Cell("linear", 20, 0)
AXES = ["--schedule", "linear", "--T", "20", "--seed", "0"]
SAMPLER = ["--sampler", "ancestral"]


def run(module: ModuleType, *arguments: str) -> None:
    result = CliRunner().invoke(module.app, list(arguments), catch_exceptions=True)
    if result.exception and not (isinstance(result.exception, SystemExit) and result.exit_code == 0):
        raise result.exception
