"""What can go wrong around a study. Each function hurts it once and returns what was not as it must be: [] is good."""

import json
import random
import resource
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.torture.study import Study

PATIENCE_SECONDS = 10.0  # what a server's trouble may cost a study


@dataclass(frozen=True)
class Kill:
    """A random stage, killed after a random share of the time that it takes."""

    stage: str
    share: float
    number: signal.Signals

    @classmethod
    def draw(cls, study: Study, chance: random.Random) -> "Kill":
        signals = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
        return cls(chance.choice(sorted(study.stages)), chance.random(), chance.choice(signals))


def kill(study: Study, how: Kill) -> tuple[str, list[str]]:
    """Kill a stage and run it again: no half of a file, and the same bytes in the end."""
    after = how.share * study.time_of(how.stage)
    study.remove(how.stage)
    running = study.start(study.command(how.stage))
    time.sleep(after)
    running.tell(how.number)
    running.end()
    what = f"{how.number.name} to {how.stage} after {after:.1f} s"
    bad = [f"{path} is half-written" for path in study.wrong(how.stage, may_lack=True)]
    code, said = study.start(study.command(how.stage)).end()
    bad += [f"the second run gave {code}: {said[-300:]}"] if code else []
    return what, bad + [f"{path} differs" for path in study.wrong(how.stage)]


def refused(study: Study, stage: str, words: str, **how: object) -> list[str]:
    """Run a stage that must fail with one line that has these words, and leave nothing."""
    study.remove(stage)
    code, said = study.start(study.command(stage), **how).end()  # type: ignore[arg-type]
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    bad = [] if code == 1 else [f"exit code {code}"]
    bad += [] if len(errors) == 1 and words in errors[0] and "Traceback" not in said else [f"it said {said[-300:]!r}"]
    bad += [f"{path} was left" for path in study.half_written()]
    bad += [f"{path} is half-written" for path in study.wrong(stage, may_lack=True)]
    study.call(*study.command(stage))
    return bad + [f"{path} differs" for path in study.wrong(stage)]


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))


def disk_full(study: Study, stage: str) -> list[str]:
    """No file may grow beyond 200 bytes, as on a full disk."""
    return refused(study, stage, "cannot write", preexec_fn=_small_files)


def read_only(study: Study, stage: str) -> list[str]:
    """The output's folder takes no new file. Root could write all the same, so its powers are laid down first."""
    study.remove(stage)
    folders = {path.parent for path in study.files_of(stage)}
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ["setpriv is missing (Debian: util-linux)"]
    for folder in folders:
        folder.chmod(0o555)
    try:
        command = [setpriv, "--bounding-set=-all", *study.command(stage)]
        code, said = study.start(command).end()
    finally:
        for folder in folders:
            folder.chmod(0o755)
    bad = [] if code == 1 and "error: " in said and "cannot write" in said else [f"{code}: {said[-300:]!r}"]
    study.call(*study.command(stage))
    return bad + [f"{path} differs" for path in study.wrong(stage)]


def damaged(study: Study, path: Path, how: str) -> list[str]:
    """A file that was cut or has a flipped bit: DVC sees it, and the next run puts it right."""
    data = bytearray(path.read_bytes())
    if how == "cut":
        del data[len(data) // 2 :]
    else:
        data[len(data) // 2] ^= 4
    path.write_bytes(bytes(data))
    study.call("dvc", "repro", "--quiet")
    return [f"{name} differs" for name in study.wrong()]


class _Answers(BaseHTTPRequestHandler):
    """A tracking server that is out of order."""

    good = 0  # how many requests it answers before it breaks

    def _answer(self) -> None:
        if type(self).good > 0:
            type(self).good -= 1
            body = json.dumps({"experiment": {"experiment_id": "1", "name": "ddpm-mnist"}, "runs": []}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_error(500)

    do_GET = do_POST = _answer  # the names that http.server wants

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _server(good: int) -> Iterator[str]:
    handler = type("Handler", (_Answers,), {"good": good})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def _silent() -> Iterator[str]:
    """It takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def _dead() -> Iterator[str]:
    yield "http://127.0.0.1:9"


SERVERS: dict[str, Callable[[], object]] = {
    "dead": _dead,
    "silent": _silent,
    "answers 500": lambda: _server(0),
    "breaks after two answers": lambda: _server(2),
}


def tracking(study: Study, name: str) -> list[str]:
    """`publish` says soon, in one line, that the server fails, and harms no file; a later one brings everything."""
    publish = [sys.executable, "-m", "stages.tools.publish"]
    (study.root / "mlflow.db").unlink(missing_ok=True)
    started = time.monotonic()
    study.call(*publish)
    peace = time.monotonic() - started
    with SERVERS[name]() as uri:  # type: ignore[attr-defined]
        started = time.monotonic()
        code, said = study.start(publish, {"MLFLOW_TRACKING_URI": uri}).end()
        took = time.monotonic() - started
    bad = [] if code == 1 else [f"exit code {code}: {said[-300:]}"]
    bad += [] if "error: " in said else ["no error"]
    bad += [f"it took {took - peace:.1f} s longer"] if took - peace > PATIENCE_SECONDS else []
    bad += [f"{path} differs" for path in study.wrong()]
    (study.root / "mlflow.db").unlink(missing_ok=True)
    told = study.call(*publish)
    return bad + ([] if "1 runs sent" in told else [f"publish said {told!r}"])


def two_at_once(study: Study) -> list[str]:
    """Two `dvc repro` in one folder: one may be refused, none may do harm."""
    for path in study.files_of("train@linear-20-0"):
        path.unlink()
    both = [study.start(["dvc", "repro", "--quiet", "--no-run-cache"]) for _ in range(2)]
    codes = [running.end(900)[0] for running in both]
    bad = [] if 0 in codes else [f"both failed: {codes}"]
    study.call("dvc", "repro", "--quiet", timeout=900)
    return bad + [f"{path} differs" for path in study.wrong()]


def many_interrupts(study: Study) -> list[str]:
    """A user who presses Ctrl-C five times while DVC trains."""
    for path in study.files_of("train@linear-20-0"):
        path.unlink()
    running = study.start(["dvc", "repro", "--no-run-cache", "--single-item", "--force", "train@linear-20-0"])
    time.sleep(study.time_of("train@linear-20-0") * 0.9)
    running.tell(signal.SIGINT, times=5)
    running.end()
    study.call("dvc", "repro", "--quiet", timeout=900)
    return [f"{path} differs" for path in study.wrong()] + [f"{path} was left" for path in study.half_written()]
