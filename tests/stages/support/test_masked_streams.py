"""What is printed through the masked streams: whole lines without secrets, and no character lost."""

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stages.support.masking import Masked
from tests.conftest import ROOT

SECRET = "s3cr3t-Passw0rd"  # noqa: S105  # planted

CRASH = """
import logging, sys, warnings
import typer
from stages.support.cli import command_line
app = typer.Typer()
@app.command()
def main(how: str) -> None:
    uri = "http://ann:{secret}@host/x"
    if how == "log":
        logging.getLogger("mlflow").warning("lost %s", uri)
    if how == "warn":
        warnings.warn(f"lost {{uri}}")
    if how == "print":
        print("lost", uri, flush=True)
    if how == "pieces":
        print("lost http://", "ann:", "{secret}", "@host/x", sep="", end="")
    if how == "bytes":
        print("first")
        sys.stderr.buffer.write(b"\\xff lost " + uri.encode())
        sys.stdout.buffer.write(b"lost " + uri.encode())
    if how == "raise":
        raise RuntimeError(f"lost {{uri}}")
command_line(app)
"""


@pytest.mark.parametrize("ending", ["\n", "\r", ""])
def test_text_that_comes_in_pieces(ending: str) -> None:
    written = io.StringIO()
    stream = Masked(written)
    for piece in ("one\ntwo http://a", f"nn:{SECRET}", f"@host/x{ending}"):
        assert stream.write(piece) == len(piece)
    if not ending:
        assert written.getvalue() == "one\n"
        stream.flush()
    assert written.getvalue() == f"one\ntwo http://***@host/x{ending}"
    stream.writelines(["three\n", "four"])
    assert written.getvalue().endswith(f"x{ending}three\n")  # as a terminal does, line by line
    stream.flush()
    stream.flush()
    assert written.getvalue().endswith("three\nfour")


def test_text_and_bytes_keep_their_order_and_all_bytes() -> None:
    raw = io.BytesIO()
    stream = Masked(io.TextIOWrapper(raw, "ascii"))
    every = bytes(range(256))
    stream.write("a")
    stream.buffer.writelines([every[:130], every[130:], b"http://ann:", SECRET.encode(), b"@host/x"])
    stream.write("b")
    stream.buffer.write(b"c")
    stream.flush()
    assert raw.getvalue() == b"a" + every + b"http://***@host/xbc"
    assert hasattr(stream, "buffer")


def test_what_was_begun_is_written_when_the_stream_is_closed(tmp_path: Path) -> None:
    stream = Masked((tmp_path / "out").open("w"))
    stream.write("end")
    stream.close()
    assert (tmp_path / "out").read_text() == "end"


def test_threads_that_write_at_once_lose_nothing() -> None:
    written, interval = io.StringIO(), sys.getswitchinterval()
    stream = Masked(written)
    sys.setswitchinterval(1e-5)
    try:
        threads = [
            threading.Thread(target=lambda: [stream.write("ab\n"[i % 3]) for i in range(3000)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    stream.flush()
    assert sorted(written.getvalue()) == sorted("ab\n" * 4000)


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_stream_that_the_shell_closed(tiny_study: Path, closed: str) -> None:
    for command in ("stages.prune", "stages.tools.audit --schedule linear --T 20"):  # the second prints a table
        words = f'"{sys.executable}" -m {command} {closed}'
        done = subprocess.run(
            ["sh", "-c", words], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "" or (closed == "2>&-" and "audit" in command)


@pytest.mark.parametrize("how", ["log", "warn", "print", "pieces", "bytes", "raise"])
def test_whatever_a_library_says(tmp_path: Path, how: str) -> None:
    (tmp_path / "crash.py").write_text(CRASH.format(secret=SECRET))
    kept = {**os.environ, "PYTHONPATH": str(ROOT)}
    script = [sys.executable, str(tmp_path / "crash.py"), how]
    done = subprocess.run(script, capture_output=True, text=True, errors="surrogateescape", env=kept, timeout=60)
    told = done.stdout + done.stderr
    assert "lost" in told
    assert "***@host/x" in told
    assert SECRET not in told.replace('uri = "http://ann:', "")


def test_a_character_that_the_terminal_lacks(tmp_path: Path) -> None:
    script = "import typer\nfrom stages.support.cli import command_line\napp = typer.Typer()\n"
    script += "@app.command()\ndef main() -> None:\n    print('Trémenbert → FID')\ncommand_line(app)\n"
    (tmp_path / "show.py").write_text(script)
    kept = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, str(tmp_path / "show.py")], capture_output=True, text=True, env=kept)
    assert (done.returncode, done.stdout) == (0, "Tr?menbert ? FID\n")
