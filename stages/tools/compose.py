"""Write params.yaml from conf/, exactly as `dvc exp run` does.

Examples: `python -m stages.tools.compose`; `python -m stages.tools.compose schedule=cosine train.epochs=10`. With
--compare nothing is written; a line on stderr says if the file differs, as after `dvc exp run` or an edit of conf/.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support import pairs, settings
from stages.support.cli import command_line
from stages.support.masking import mask

app = typer.Typer(add_completion=False)

WRONG_OVERRIDES = "correct the overrides"


def composed(conf: Path, overrides: list[str]) -> str:
    """The text of conf/config.yaml with Hydra overrides.

    Raises:
        StudyError: Hydra does not take the overrides, or a file of ``conf`` is not YAML.
    """
    from dvc.utils.hydra import compose_and_dump  # half a second to import
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError  # of the reader that Hydra uses

    with TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        try:
            compose_and_dump(path, str(conf.resolve()), None, "config", "", overrides)
        except YAMLError as error:
            told = mask(" ".join(str(error).split()))
            raise StudyError(f"not YAML: {told}", where=str(conf), hint="correct it") from error
        except UnicodeDecodeError as error:
            raise StudyError("a file that is not UTF-8", where=str(conf), hint="save it as UTF-8") from error
        except (HydraException, OmegaConfBaseException, ValueError, RecursionError) as error:
            first = mask((str(error) or type(error).__name__).splitlines()[0])
            raise StudyError(first, where=str(conf), hint=WRONG_OVERRIDES if overrides else "correct it") from error
        return artifacts.read_text(path)


@app.command(help=__doc__)
def main(
    overrides: Annotated[list[str] | None, typer.Argument(help="Hydra overrides, name=value.")] = None,
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("params.yaml"),
    conf: Annotated[Path, typer.Option(help="The folder of config.yaml.")] = Path("conf"),
    compare: Annotated[
        bool, typer.Option("--compare", help="Write nothing; say on stderr if the file differs.")
    ] = False,
) -> None:
    text = composed(conf, overrides or [])
    if compare:
        if artifacts.read_text(output, "run `make compose`") != text:
            print(f"note: {output} differs from what {conf} says; to follow {conf}: `make compose`", file=sys.stderr)
        return
    pairs.check(settings.parse(text, str(conf), hint="correct it there, or the overrides"), str(conf))
    artifacts.write_bytes(output, text.encode())


if __name__ == "__main__":
    command_line(app)
