"""Clones of this repository in which something runs apart from the working tree, with its cache and its remotes."""

import os
import shutil
import subprocess
from pathlib import Path

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support import settings
from stages.support.paths import root
from stages.tools import lock

CODE = ("ddpm", "stages", "conf", "dvc.yaml")  # what decides a result, besides parameters


def environment() -> dict[str, str]:
    """The environment of this process, without what would lead a command in a clone back here."""
    return {key: value for key, value in os.environ.items() if key not in ("DVC_ROOT", "PYTHONPATH")}


def run_git(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """A git command, whatever its exit status, in this folder unless another is named; StudyError without git."""
    try:
        return subprocess.run(["git", *words], cwd=folder or root(), capture_output=True)
    except FileNotFoundError as error:
        if shutil.which("git"):
            raise  # it is the folder that is missing
        raise StudyError("git is not installed", where="PATH", hint="install it") from error


def git(*words: str, folder: Path | None = None) -> str:
    """Output of a git command; StudyError with git's own first line when it fails."""
    done = run_git(*words, folder=folder)
    if done.returncode:
        reason = (done.stderr.decode().strip() or "no message").splitlines()[0]
        raise StudyError(reason, where=f"git {words[0]}")
    return done.stdout.decode()


def commit() -> str:
    """The commit of this folder; StudyError when its sources are not committed, so that a clone would not have them."""
    if changed := git("status", "--porcelain", "--", *CODE).split("\n")[0]:
        raise StudyError(f"not committed: {changed[3:]}", where="git", hint="commit first: results carry their sources")
    return git("rev-parse", "HEAD").strip()


def has(commit: str) -> bool:
    """Whether a commit is in this repository, or in the one that it was cloned from, whence it is fetched."""
    asked = ("cat-file", "-e", f"{commit}^{{commit}}")
    if run_git(*asked).returncode:
        run_git("fetch", "--quiet", "--all")
        return run_git(*asked).returncode == 0
    return True


def workspace(folder: Path, commit: str, params: str) -> None:
    """Make a clone at a commit, or bring one there; with its own params.yaml, and this folder's cache and remotes."""
    if not (folder / ".git").exists():
        half = folder.with_name(f"{folder.name}.half")  # a clone that was killed is never taken for whole
        for path in (folder, half):
            shutil.rmtree(path, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        git("clone", "--quiet", "--shared", str(root()), str(half))
        half.rename(folder)
    if git("rev-parse", "HEAD", folder=folder).strip() != commit:
        git("fetch", "--quiet", "origin", folder=folder)
        git("checkout", "--quiet", "--force", "--detach", commit, folder=folder)
    lock.share(folder, root())
    artifacts.write_bytes(folder / settings.PATH, params.encode())
