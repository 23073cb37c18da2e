"""Write params.yaml from conf/, exactly as `dvc exp run` does.

Examples: `python -m stages.tools.compose`; `python -m stages.tools.compose schedule=cosine train.epochs=10`.
"""

from pathlib import Path
from typing import Annotated

import typer

from ddpm.errors import StudyError
from stages.support.cli import command_line
from stages.support.masking import mask

app = typer.Typer(add_completion=False)


def compose(output: Path, conf: Path, overrides: list[str]) -> None:
    """Compose conf/config.yaml with Hydra overrides and write the result; StudyError when Hydra does not take them."""
    from dvc.utils.hydra import compose_and_dump  # half a second to import
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        compose_and_dump(output, str(conf.resolve()), None, "config", "", overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise StudyError(mask(str(error).splitlines()[0]), where=str(conf), hint="correct the overrides") from error


@app.command(help=__doc__)
def main(
    overrides: Annotated[list[str] | None, typer.Argument(help="Hydra overrides, name=value.")] = None,
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("params.yaml"),
    conf: Annotated[Path, typer.Option(help="The folder of config.yaml.")] = Path("conf"),
) -> None:
    compose(output, conf, overrides or [])


if __name__ == "__main__":
    command_line(app)
