"""What live curves cost: the processor time of the thread that sends them, beside that of the training it follows.

Run from the repository's root, on a finished study, on a quiet machine: `python -m benchmarks.live`. It trains one
cell of params.yaml again, in a folder of its own with a new MLflow database, and writes benchmarks/live.md.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill

import typer

from stages.support.cli import command_line

ROOT = Path.cwd()
AXES = ("--schedule", "linear", "--T", "50", "--seed", "0")
TEXT = """Written by `python -m benchmarks.live`. One training of the default network ({axes}) took {training:.1f} s of
processor time. The thread that followed it sent {points:,} points of {steps:,} steps to a new SQLite database in
{sending:.2f} s, **{share:.2f} % of the training**; once a study, importing MLflow and creating the database took
{beginning:.1f} s."""


def measure() -> str:
    """Train in the working directory, and follow; returns the text of live.md."""
    from stages.support import settings
    from stages.tools import live, store

    began = time.thread_time()
    store.set_patience()
    store.connect()
    beginning = time.thread_time() - began
    params = settings.load()
    follower = live.Follower(params, store.study_key(params))
    training = subprocess.Popen(
        [sys.executable, "-m", "stages.train", *AXES], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    sending = 0.0
    while training.poll() is None:  # as the thread does, here where its time can be read
        time.sleep(live.EVERY_SECONDS)
        began = time.thread_time()
        follower.look()
        sending += time.thread_time() - began
    if training.returncode:
        raise SystemExit("the training failed, see above")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, steps = used.ru_utime + used.ru_stime, sum(sent.steps for sent in follower.sent.values())
    client, experiment = store.connect()
    (run,) = client.search_runs([experiment])
    points = sum(len(client.get_metric_history(run.info.run_id, name)) for name in run.data.metrics)
    text = TEXT.format(
        axes=" ".join(AXES),
        training=seconds,
        points=points,
        steps=steps,
        sending=sending,
        share=100 * sending / seconds,
        beginning=beginning,
    )
    return f"# What live curves cost\n\n{fill(text, 130)}\n"


def main() -> None:
    """Measure in a temporary folder, and write live.md."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
        (home / "data").mkdir()
        for name in ("raw", "schedules"):
            (home / "data" / name).symlink_to(ROOT / "data" / name)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{home}/live.db"
        os.environ.pop("DVC_ROOT", None)
        os.chdir(home)
        try:
            text = measure()
        finally:
            os.chdir(ROOT)
    (ROOT / "benchmarks" / "live.md").write_text(text)
    print(text)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(help=__doc__)(main)
    command_line(app)
