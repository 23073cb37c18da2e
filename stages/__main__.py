"""All commands of the study, in the order of the pipeline.

`study NAME` is `python -m stages.NAME`. Shell completion in bash: eval "$(_STUDY_COMPLETE=bash_source study)"; zsh and
fish likewise.
"""

import ast
import re
import runpy
import sys
from pathlib import Path

import click

from ddpm import artifacts

FOLDER = Path(__file__).parent
PIPELINE = (
    *("mnist", "weights", "reference", "classifier", "validate", "schedule", "train", "heldout", "sample", "embed"),
    *("fid", "ideal", "chains", "digits", "ranking", "aggregate", "claims", "factors", "report"),
)
AROUND = ("grid", "publish", "compose", "audit", "diff", "evidence", "demo")


def first_words(name: str) -> str:
    """The first clause a command says of itself, read without importing it: torch alone takes two seconds."""
    text = ast.get_docstring(ast.parse(artifacts.read_bytes(FOLDER / f"{name}.py"))) or ""
    return re.split(r"[:;.,] |[.:]?$", text.splitlines()[0])[0]


def make(name: str) -> click.Command:
    """A command that runs the module of its name with all the words that follow."""

    def run(words: tuple[str, ...]) -> None:
        sys.argv = [str(FOLDER / f"{name}.py"), *words]  # as if it had been called itself: usage lines say so
        runpy.run_module(f"stages.{name}", run_name="__main__", alter_sys=True)

    words = click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)
    settings = {"ignore_unknown_options": True, "help_option_names": []}
    return click.Command(name, callback=run, params=[words], short_help=first_words(name), context_settings=settings)


class InOrder(click.Group):
    """Lists its commands as the pipeline runs them, not by the alphabet."""

    def list_commands(self, _: click.Context) -> list[str]:
        return [*PIPELINE, *AROUND]

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        return make(name) if name in (*PIPELINE, *AROUND) else None


main = InOrder(name="stages", help=__doc__)

if __name__ == "__main__":
    main(prog_name="study")
