"""Sync the results to MLflow, including cells that DVC restored from its cache.

It may be run at any time and repeatedly. It is not a DVC stage, because its target is outside the repository, where DVC
cannot check whether it is up to date.

Uses MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME; the default is mlflow.db beside dvc.yaml.
"""

import typer

from stages.support import settings
from stages.support.cli import command_line
from stages.tools import tracking

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main() -> None:
    tracking.report(tracking.publish(settings.load()))


if __name__ == "__main__":
    command_line(app)
