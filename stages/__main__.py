"""All commands of the study in the order of the pipeline.

`study NAME` is `python -m stages.NAME`, or `python -m stages.tools.NAME` for commands that are not stages. Shell
completion in bash: eval "$(_STUDY_COMPLETE=bash_source study)"; zsh and fish likewise.
"""

import ast
import runpy
import sys
from pathlib import Path

import click

from ddpm import artifacts

FOLDER = Path(__file__).parent
PIPELINE = (
    "mnist",
    "weights",
    "reference",
    "classifier",
    "validate",
    "baseline",
    "schedules",
    "train",
    "heldout",
    "sample",
    "embed",
    "fid",
    "ideal",
    "chains",
    "prune",
    "digits",
    "ranking",
    "aggregate",
    "claims",
    "comparisons",
    "report",
)
AROUND = ("grid", "campaign", "publish", "ui", "compose", "audit", "diff", "keep_run", "document", "demo")


def module_of(name: str) -> str:
    """The module of a command."""
    return f"stages.tools.{name}" if name in AROUND else f"stages.{name}"


def source_of(name: str) -> Path:
    """The source file of a command."""
    return FOLDER.parent / (module_of(name).replace(".", "/") + ".py")


def first_words(name: str) -> str:
    """The first line of a command's docstring, read without importing it: importing torch takes two seconds."""
    text = ast.get_docstring(ast.parse(artifacts.read_bytes(source_of(name)))) or ""
    return text.splitlines()[0].removesuffix(".")


def make(name: str) -> click.Command:
    """A command that runs the module of its name with all following arguments."""

    def run(words: tuple[str, ...]) -> None:
        sys.argv = [str(source_of(name)), *words]  # so that usage lines name the module
        runpy.run_module(module_of(name), run_name="__main__", alter_sys=True)

    words = click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)
    settings = {"ignore_unknown_options": True, "help_option_names": []}
    return click.Command(name, callback=run, params=[words], short_help=first_words(name), context_settings=settings)


class InOrder(click.Group):
    """Lists the commands in the order of the pipeline, not alphabetically."""

    def list_commands(self, _: click.Context) -> list[str]:
        return [*PIPELINE, *AROUND]

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        return make(name) if name in (*PIPELINE, *AROUND) else None


main = InOrder(name="stages", help=__doc__)

if __name__ == "__main__":
    main(prog_name="study")
