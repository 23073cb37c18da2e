"""File formats: they come back, their bytes are a function of their content, and damage is one line."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from ddpm import artifacts
from ddpm.errors import StudyError

TENSORS: artifacts.Arrays = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.zeros(2, np.int64)}
META = {"z": "1", "a": "two", "m": "3", "k": "4"}


def test_tensors_come_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.safetensors"
    artifacts.write_tensors(path, TENSORS, META)
    tensors, metadata = artifacts.read_tensors(path)
    assert metadata == META
    assert all(np.array_equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_equal_content_equal_bytes(tmp_path: Path) -> None:
    for i, order in enumerate((list(TENSORS), list(reversed(TENSORS)))):
        meta = dict(sorted(META.items(), reverse=bool(i)))
        artifacts.write_tensors(tmp_path / f"{i}", {name: TENSORS[name] for name in order}, meta)
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


def test_json_and_lines_and_csv(tmp_path: Path) -> None:
    artifacts.write_json(tmp_path / "a.json", {"b": 1, "a": [1.5]})
    assert (tmp_path / "a.json").read_text() == '{\n  "a": [\n    1.5\n  ],\n  "b": 1\n}\n'
    assert artifacts.read_json(tmp_path / "a.json") == {"b": 1, "a": [1.5]}
    artifacts.write_json_lines(tmp_path / "a.jsonl", [{"step": 1}, {"step": 2}])
    assert artifacts.read_json_lines(tmp_path / "a.jsonl") == [{"step": 1}, {"step": 2}]
    artifacts.write_csv(tmp_path / "a.csv", [{"x": 1, "y": "a,b"}, {"x": 2, "y": "c"}])
    assert (tmp_path / "a.csv").read_text() == 'x,y\n1,"a,b"\n2,c\n'


def test_npy_comes_back_and_holds_no_objects(tmp_path: Path) -> None:
    artifacts.write_npy(tmp_path / "a.npy", np.eye(3))
    assert np.array_equal(artifacts.read_npy(tmp_path / "a.npy"), np.eye(3))
    with pytest.raises(ValueError, match="allow_pickle"):
        artifacts.write_npy(tmp_path / "b.npy", np.array([{}], dtype=object))
    np.save(tmp_path / "c.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(StudyError, match="not an npy array"):
        artifacts.read_npy(tmp_path / "c.npy")


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        artifacts.write_json(tmp_path / "a.json", {"fid": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (artifacts.read_json, b"{"),
        (artifacts.read_json, b'{"fid": NaN}'),
        (artifacts.read_csv, b"a,b\n1,2,3\n"),
        (artifacts.read_csv, b"a,b\n1\xff,2\n"),
        (artifacts.read_json_lines, b'{"a": 1}\n{'),
        (artifacts.read_npy, b"\x93NUMPY"),
        (artifacts.read_npy, b""),
        (artifacts.read_tensors, b"\xff" * 64),
        (artifacts.read_tensors, b""),
        (artifacts.read_tensors, safetensors.numpy.save(TENSORS, {"study": "[1]"})),  # metadata that is no object
    ],
)
def test_damage_and_absence_name_the_file(tmp_path: Path, read: Callable[[Path], Any], data: bytes) -> None:
    path = tmp_path / "some.file"
    with pytest.raises(StudyError, match=r"some\.file: cannot read"):
        read(path)
    path.write_bytes(data)
    with pytest.raises(StudyError, match=r"some\.file: not .*; delete it") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_truncated_tensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    artifacts.write_tensors(path, TENSORS, META)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StudyError, match="not safetensors"):
        artifacts.read_tensors(path)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    artifacts.write_json(path, 1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyError, match="No space left on device"):
        artifacts.write_json(path, 2)
    assert artifacts.read_json(path) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_csv_comes_back_with_its_types(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": 2.5, "c": "x", "d": None}, {"a": -3, "b": 1e-9, "c": "y z", "d": 0.1}]
    artifacts.write_csv(tmp_path / "x.csv", rows)
    assert artifacts.read_csv(tmp_path / "x.csv") == rows


def test_numbers_are_written_to_ten_digits(tmp_path: Path) -> None:
    """What two machines add up in another order comes out in the same bytes."""
    a, b = (0.1 + 0.2) + 1000.0, 0.1 + (0.2 + 1000.0)
    assert a != b
    for name, value in (("a", a), ("b", b)):
        artifacts.write_json(tmp_path / f"{name}.json", {"x": [value, {"y": (value,)}], "n": 12345678901234})
        artifacts.write_csv(tmp_path / f"{name}.csv", [{"x": np.float64(value), "n": 12345678901234, "s": "s"}])
    for kind in ("json", "csv"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    found = artifacts.read_json(tmp_path / "a.json")
    assert found == {"x": [1000.3, {"y": [1000.3]}], "n": 12345678901234}
    assert artifacts.rounded(1 / 3) == 0.3333333333
    assert artifacts.rounded(-1.23456789012e-7) == -1.23456789e-7
    assert artifacts.rounded({"a": None, "b": True, "c": "d"}) == {"a": None, "b": True, "c": "d"}


def test_a_file_is_removed_once_and_a_folder_never(tmp_path: Path) -> None:
    path, folder = tmp_path / "x.json", tmp_path / "folder"
    artifacts.write_json(path, 1)
    artifacts.write_json(folder / "y.json", 1)
    for _ in range(2):  # one that is gone is no error
        artifacts.remove(path)
        assert not path.exists()
    with pytest.raises(StudyError, match="folder: cannot remove: "):  # not allowed, whoever asks
        artifacts.remove(folder)
    assert (folder / "y.json").exists()


def lacking(number: int) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


LACKING = [errno.EPERM, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS]


@pytest.mark.parametrize("number", LACKING, ids=errno.errorcode.get)
@pytest.mark.parametrize("function", ["chmod", "fsync"])
def test_a_file_system_that_lacks_a_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """CIFS has no chmod; FUSE and shared folders of virtual machines cannot sync a folder."""
    monkeypatch.setattr(os, function, lacking(number))
    for value in (1, 2):
        artifacts.write_json(tmp_path / "x.json", value)
    assert artifacts.read_json(tmp_path / "x.json") == 2
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
    assert capfd.readouterr().err == ""


def test_a_folder_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def no_folders(path: Any, flags: int, *rest: int) -> int:
        if Path(path).is_dir():
            raise OSError(errno.EACCES, "Permission denied")
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", no_folders)
    artifacts.write_json(tmp_path / "x.json", 1)
    assert artifacts.read_json(tmp_path / "x.json") == 1


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "free space"),
        (errno.EROFS, "permissions"),
        (errno.EIO, "file system"),
    ],
)
def test_what_is_advised_fits_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, cure: str
) -> None:
    monkeypatch.setattr(os, "replace", lacking(number))
    with pytest.raises(StudyError, match=cure):
        artifacts.write_json(tmp_path / "x.json", 1)
