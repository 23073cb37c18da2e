"""Sync the results to MLflow and serve its page here, or name the shared server.

With MLFLOW_TRACKING_URI set, the results go to that server, and its address is printed instead.
"""

import os
import socket
from typing import Annotated

import typer

from ddpm.errors import StudyError
from stages.support import settings
from stages.support.cli import command_line
from stages.support.masking import mask
from stages.tools import store, tracking, worker

app = typer.Typer(add_completion=False)

HOST = "127.0.0.1"


def require_free(port: int) -> None:
    """StudyError when another program listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a port just left is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            hint = "choose another with make ui PORT=5001"
            raise StudyError(f"cannot be used: {error.strerror}", where=f"port {port}", hint=hint) from error


@app.command(help=__doc__)
def main(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the page on this machine.")] = 5000,
) -> None:
    worker.find_commands()  # mlflow, which takes this process's place
    uri = store.tracking_uri()
    served = uri.startswith(("http://", "https://"))
    if not served:
        require_free(port)  # before the minutes that a first sync may take
    done = tracking.publish(settings.load())
    tracking.report(done)
    address = uri.partition("?")[0].rstrip("/") if served else f"http://{HOST}:{port}"
    print(f"all cells compared: {mask(address)}/{done.page}")
    if served:
        print(f"the results are on the server of MLFLOW_TRACKING_URI: {mask(uri)}")
        return
    print(f"serving {mask(uri)} on http://{HOST}:{port}; stop it with Ctrl-C", flush=True)
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri  # not on the command line, where every user of the machine sees it
    # without MLflow's workers for jobs, which nobody starts here: they are further processes that import MLflow
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    command = ["mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    file = store.database(uri)
    if file is not None:
        command += ["--default-artifact-root", store.artifacts_of(file)]
    os.execvp(command[0], command)  # noqa: S606  # in this process's place, so that Ctrl-C reaches it


if __name__ == "__main__":
    command_line(app)
