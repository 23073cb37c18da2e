"""Bring MLflow level with the files: cells that DVC restored from its cache appear too.

Run it any time, any number of times. It is no DVC stage: its target is outside the repository, so DVC could not know
whether it is up to date.

Honours MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME; without them, mlflow.db beside dvc.yaml.
"""

import typer

from stages.support import settings
from stages.support.cli import command_line
from stages.tools import tracking

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main() -> None:
    sent, complete = tracking.publish(settings.load())
    print(f"MLflow: {sent} runs sent, {complete} cells level ({tracking.tracking_uri()})")


if __name__ == "__main__":
    command_line(app)
