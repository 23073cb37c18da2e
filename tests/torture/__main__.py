"""Hurt a small study in every way known, and count: `make torture`, or `python -m tests.torture --kills 10`.

Every line says what was done and whether the study came through: nothing half-written, a clear word, and the same bytes
in the end. Exit code 1 when one thing did not.
"""

import os
import queue
import random
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from tests.torture import faults
from tests.torture.study import Study

app = typer.Typer(add_completion=False)

STAGES = ("train@linear-20-0", "sample@linear-20-0-clipped", "embed@linear-20-0-clipped", "fid@linear-20-0-clipped")
FILES = (
    "data/raw/train-images-idx3-ubyte",
    "data/weights/inception.safetensors",
    "data/schedules/linear-20.npy",
    "data/models/linear-20-0.safetensors",
    "data/samples/linear-20-0-clipped.npy",
    "data/features/linear-20-0-clipped.safetensors",
    "data/results/cells/linear-20-0-clipped.json",
)


@app.command(help=__doc__)
def main(
    kills: Annotated[int, typer.Option(min=1, help="How many kills at random moments over all stages.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the random stages and moments.")] = 0,
    jobs: Annotated[int, typer.Option(help="Kills at a time, each in its own copy.")] = min(os.cpu_count() or 1, 4),
    others: Annotated[bool, typer.Option(help="The other faults as well, a quarter of an hour.")] = True,
) -> None:
    started, chance = time.monotonic(), random.Random(seed)
    failed: list[str] = []
    count = 0

    def judge(what: str, bad: list[str]) -> None:
        nonlocal count
        count += 1
        print(f"{count:4d} {'ok  ' if not bad else 'BAD '} {what}{': ' if bad else ''}{'; '.join(bad)}", flush=True)
        if bad:
            failed.append(what)

    with tempfile.TemporaryDirectory() as folder:
        print("running the small study in peace", flush=True)
        study = Study(Path(folder) / "study")
        copies = queue.SimpleQueue[Study]()
        for one in (study, *(study.twin(Path(folder) / f"twin-{job}") for job in range(1, jobs))):
            copies.put(one)

        def kill(how: faults.Kill) -> tuple[str, list[str]]:
            mine = copies.get()
            try:
                return faults.kill(mine, how)
            finally:
                copies.put(mine)

        draws = [faults.Kill.draw(study, chance) for _ in range(kills)]
        with ThreadPoolExecutor(jobs) as pool:
            for what, bad in pool.map(kill, draws):
                judge(what, bad)
        killed = count - len(failed)
        print(f"{killed} of {kills} kills ended in the same bytes", flush=True)
        rest: list[tuple[str, Callable[[], list[str]]]] = [
            *((f"no room on the disk for {s}", lambda s=s: faults.disk_full(study, s)) for s in STAGES),
            *((f"a read-only folder for {s}", lambda s=s: faults.read_only(study, s)) for s in STAGES),
            *((f"{f} {how}", lambda f=f, how=how: faults.damaged(study, study.root / f, how))
              for f in FILES for how in ("cut", "with a flipped bit")),
            *((f"a tracking server: {n}", lambda n=n: faults.tracking(study, n)) for n in faults.SERVERS),
            ("two dvc repro at once", lambda: faults.two_at_once(study)),
            ("five SIGINT in a row", lambda: faults.many_interrupts(study)),
        ]  # fmt: skip
        for what, hurt in rest if others else []:
            judge(what, hurt())
    minutes = (time.monotonic() - started) / 60
    print(f"{count} tried, {count - len(failed)} came through, {len(failed)} did not; {minutes:.1f} minutes")
    sys.exit(bool(failed))


if __name__ == "__main__":
    app()
