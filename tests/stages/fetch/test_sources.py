"""Fetching from a real HTTP server on this machine, and from archives, whole and damaged."""

import gzip
import hashlib
from pathlib import Path

import pytest

from ddpm.errors import StudyError
from stages.fetch import sources
from stages.fetch.sources import Pin, download, first_of, from_directory, gunzip, members
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
