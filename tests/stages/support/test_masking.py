"""Passwords and tokens are in nothing that a command prints, whoever says it."""

import io
import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from stages.support.masking import Masked, mask
from tests.conftest import ROOT, edit_params

SECRET = "s3cr3t-Passw0rd"  # noqa: S105  # planted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"http://ann:{SECRET}@host:5000/x failed", "http://***@host:5000/x failed"),
        (f"https://{SECRET}@host", "https://***@host"),
        (f"postgresql+psycopg2://ann:{SECRET}/x@db/runs", "postgresql+psycopg2://***@db/runs"),
        (f"http://ann:a@{SECRET}@host/", "http://***@host/"),
        (f"two: http://a:{SECRET}@x/ and 'ftp://b:{SECRET}@y'", "two: http://***@x/ and 'ftp://***@y'"),
        (f"postgresql://db/runs?user=ann&password={SECRET}&x=1", "postgresql://db/runs?user=ann&password=***&x=1"),
        (f"https://host/a?X-Amz-Security-Token={SECRET}", "https://host/a?X-Amz-Security-Token=***"),
        (f"https://host/a?x=1&access_token={SECRET};b=2", "https://host/a?x=1&access_token=***;b=2"),
        (f"http://ann:it's-{SECRET}@host/", "http://***@host/"),
        (f'http://ann:"{SECRET}"@host/', "http://***@host/"),
        (f"postgresql://ann:a/b@{SECRET}@db/x", "postgresql://***@db/x"),
        (f"postgresql://ann:a/?#'b@{SECRET}@db/x", "postgresql://***@db/x"),
        (f"{{'uri': 'http://ann:{SECRET}@host', 'mail': 'a@b'}}", "{'uri': 'http://***@host', 'mail': 'a@b'}"),
        (f"sqlite:///q.db?key={SECRET}", "sqlite:///q.db?key=***"),
        (f"https://host/a?sig={SECRET}&auth={SECRET}", "https://host/a?sig=***&auth=***"),
        (f"https://host/a?X-Amz-Credential={SECRET}", "https://host/a?X-Amz-Credential=***"),
        (f"host=db user=ann password='{SECRET} x' dbname=y", "host=db user=ann password=*** dbname=y"),
        (f"AccountName=a;AccountKey={SECRET};B=c", "AccountName=a;AccountKey=***;B=c"),
        (f"//registry/:_authToken={SECRET}", "//registry/:_authToken=***"),
        (f"'Authorization': 'Bearer {SECRET}'", "'Authorization': 'Bearer ***'"),
    ],
)
def test_addresses(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000/#/experiments/1",
        "sqlite:///mlflow.db",
        "data/models/linear-50-0.safetensors: cannot read",
        "ann@example.org",
        "file:///home/ann/my%20study/mlruns",
        "tokens: 12, 3:4 @ 5",
        "TOKENIZERS_PARALLELISM=false",
        "git config user.email=ann@host and http://host/a",
        "keys=3, monkey=4",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert mask(text) == text


def test_secrets_of_the_environment_alone_and_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "tok-123456")
    monkeypatch.setenv("SOME_PROXY", "http://ann:p%40ss%2Fword@proxy:3128")
    assert mask("sent tok-123456 with p@ss/word or p%40ss%2Fword") == "sent *** with *** or ***"


@pytest.mark.parametrize("password", ["it's", "a b c", 'q"uo"te', "x@y:z", "a/b@c", "p#q?r"])
def test_passwords_that_libraries_repeat_without_the_address(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{password}@127.0.0.1:9")
    sent = b64encode(f"ann:{password}".encode()).decode()
    assert mask(f"invalid address 'ann:{password}@127.0.0.1:9', sent {sent}.") == (
        "invalid address 'ann:***@127.0.0.1:9', sent ***."
    )


@pytest.mark.parametrize("words", [["--cluster", "tcp://ann:{}@head:1"], ["--cluster=tcp://ann:{}@head:1"]])
def test_passwords_among_the_arguments(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["grid", *(word.format(SECRET) for word in words)])
    assert mask(f"invalid address 'ann:{SECRET}@head:1'") == "invalid address 'ann:***@head:1'"


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "DATABRICKS_TOKEN", "NPM_TOKEN", "DVC_REMOTE_PASSWORD", "GOOGLE_API_KEY", "AWS_ACCESS_KEY_ID"]
)
def test_variables_by_their_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, SECRET)
    assert mask(f"header {SECRET}") == "header ***"


ADDRESSES = [
    f"http://ann:{SECRET}@127.0.0.1:9",
    f"https://ann:{SECRET}@127.0.0.1:9/mlflow",
    f"http://127.0.0.1:9/?token={SECRET}",
    f"nonsense://ann:{SECRET}@host/x",
]


def command(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, env=kept, timeout=300)


@pytest.mark.parametrize("uri", ADDRESSES)
def test_publish_that_fails(tiny_study: Path, uri: str) -> None:
    done = command("stages.tools.publish", MLFLOW_TRACKING_URI=uri)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert SECRET not in done.stdout + done.stderr
    left = [path for path in tiny_study.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert left == []


def test_publish_that_works(tiny_study: Path) -> None:
    """On success the address is printed: SQLite takes the password for a parameter of no meaning."""
    uri = f"sqlite:///served.db?password={SECRET}"
    done = command("stages.tools.publish", MLFLOW_TRACKING_URI=uri, MLFLOW_TRACKING_PASSWORD=SECRET)
    assert SECRET not in done.stdout + done.stderr
    assert "***" in done.stdout + done.stderr


def test_secrets_of_several_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_SECRET", f"-----BEGIN KEY-----\n{SECRET}\n-----END KEY-----")
    monkeypatch.setenv("HF_TOKEN", "hf_abcdef123456\n")  # as from a mounted file
    written = io.StringIO()
    stream = Masked(written)
    print(f"key {os.environ['APP_SECRET']}", "token hf_abcdef123456", sep="\n", file=stream)
    assert SECRET not in written.getvalue()
    assert written.getvalue().endswith("\ntoken ***\n")


def test_a_long_secret_in_an_error_of_the_command_line(tmp_path: Path) -> None:
    """Which a box would break in two."""
    uri = f"tcp://ann:{SECRET * 10}@head:8786"
    done = command("stages.tools.grid", uri)
    assert done.returncode == 2
    assert "tcp://***@head:8786" in done.stderr
    assert SECRET not in done.stderr
    assert "--jobs" in command("stages.tools.grid", "--help").stdout


def test_a_study_whose_settings_are_refused_prints_no_secret(tiny_study: Path) -> None:
    edit_params(tiny_study, data={"name": f"http://ann:{SECRET}@host"})
    done = command("stages.tools.publish")
    assert done.returncode == 1
    assert SECRET not in done.stderr
