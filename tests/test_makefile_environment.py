"""`make` with environments in states that real machines have: half made, renamed, linked, under pip's defaults."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny_project import STUDY, make, project, studied


@pytest.fixture
def folder(installed: Path, tmp_path: Path) -> Path:
    """The same at another path, as after `mv`, with the environment made for the old one."""
    return Path(shutil.copytree(installed, tmp_path / "renamed", symlinks=True))


def inode(folder: Path) -> int:
    """Which file the environment's Python is."""
    return (folder / ".venv" / "pyvenv.cfg").stat().st_ino


def test_an_environment_that_is_whole_is_kept(installed: Path) -> None:
    before = inode(installed)
    done = make(installed, "study", "JOBS=3")
    assert done.stdout.splitlines() == STUDY
    assert "setting up" not in done.stderr
    assert inode(installed) == before


def half(folder: Path) -> None:
    """What is left when ensurepip fails."""
    for path in (folder / ".venv").glob("lib/*/site-packages/pip*"):
        shutil.rmtree(path)
    (folder / ".venv" / ".installed").unlink()


def no_python(folder: Path) -> None:
    (folder / ".venv" / "bin" / "python").unlink()


def python_is_gone(folder: Path) -> None:
    no_python(folder)
    (folder / ".venv" / "bin" / "python").symlink_to("/usr/bin/python-of-another-release")


def empty(folder: Path) -> None:
    shutil.rmtree(folder / ".venv")
    (folder / ".venv").mkdir()


def link(folder: Path) -> None:
    """A link to a folder that is no environment; what it points to is the user's."""
    shutil.rmtree(folder / ".venv")
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "letter").write_text("mine")
    (folder / ".venv").symlink_to("../other")


@pytest.mark.parametrize("damage", [half, no_python, python_is_gone, empty, link])
def test_a_half_made_environment_is_made_anew(installed: Path, damage: Callable[[Path], None]) -> None:
    damage(installed)
    studied(installed)
    if damage is link:
        assert (installed.parent / "other" / "letter").read_text() == "mine"


def test_ensurepip_that_fails_once(tmp_path: Path) -> None:
    folder = project(tmp_path / "study")
    done = make(folder, "study", "JOBS=3", f"PYTHON={broken_python(tmp_path)}")
    assert done.returncode
    assert (folder / ".venv" / "bin").exists()
    studied(folder)


def broken_python(folder: Path) -> Path:
    """An interpreter whose `-m venv` makes all but pip and fails, as Debian's without python3-venv does."""
    script = folder / "python-broken"
    base = Path(sys.base_prefix) / "bin" / "python3"
    script.write_text(f'#!/bin/sh\ncase "$*" in *venv*) {base} "$@" --without-pip; exit 1;; esac\nexec {base} "$@"\n')
    script.chmod(0o755)
    return script


def test_a_renamed_folder(installed: Path, folder: Path) -> None:
    away = installed.rename(installed.with_name("away"))  # after a rename nothing is at the old place
    try:
        studied(folder)
    finally:
        away.rename(installed)
    scripts = (folder / ".venv" / "bin" / "dvc").read_text()
    assert str(folder) in scripts.splitlines()[0]


@pytest.mark.parametrize("target", ["demo", "ui", "clean"])
def test_other_targets_after_a_rename(folder: Path, target: str) -> None:
    done = make(folder, target)
    assert done.returncode == 0, done.stderr
    if target == "clean":
        assert not (folder / ".venv").exists()


def test_a_copy_leaves_its_original_alone(installed: Path, folder: Path) -> None:
    before = {
        path: path.stat().st_mtime_ns for path in (installed / ".venv").rglob("*") if "__pycache__" not in str(path)
    }
    studied(folder)
    after = {
        path: path.stat().st_mtime_ns for path in (installed / ".venv").rglob("*") if "__pycache__" not in str(path)
    }
    assert after == before


def test_a_link_to_another_folders_environment_is_kept(installed: Path, tmp_path: Path) -> None:
    worktree = project(tmp_path / "worktree")
    (worktree / ".venv").symlink_to(installed / ".venv")
    os.utime(installed / ".venv" / ".installed")
    before = inode(installed)
    studied(worktree)
    assert inode(installed) == before
    assert (worktree / ".venv").is_symlink()


def uninstall(folder: Path) -> None:
    """As before the packages were installed; pip and its Python are there."""
    (folder / ".venv" / ".installed").unlink()
    subprocess.run([folder / ".venv/bin/python", "-m", "pip", "uninstall", "-qy", "tiny"], check=True)
    assert not (folder / ".venv" / "bin" / "dvc").exists()


@pytest.mark.parametrize(
    "environment",
    [{"PIP_USER": "1"}, {"PIP_TARGET": "x"}, {"PIP_PREFIX": "x"}, {"PIP_ROOT": "x"}, {"PIP_DRY_RUN": "1"}],
    ids=str,
)
def test_pips_defaults_of_the_user(installed: Path, environment: dict[str, str]) -> None:
    uninstall(installed)
    studied(installed, **environment)
    assert not (installed / "x").exists()


@pytest.mark.parametrize("line", ["user = true", "target = x", "prefix = x", "dry-run = true"])
def test_pips_defaults_in_a_file(installed: Path, tmp_path: Path, line: str) -> None:
    uninstall(installed)
    (tmp_path / ".config" / "pip").mkdir(parents=True)
    (tmp_path / ".config" / "pip" / "pip.conf").write_text(f"[install]\n{line}\n")
    studied(installed, HOME=str(tmp_path))
