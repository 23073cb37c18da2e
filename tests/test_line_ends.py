"""A clone has the repository's bytes whatever line ends Git is told to write: stages depend on the bytes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

ALWAYS_LF = ["-c", "core.autocrlf=false", "-c", "user.name=test", "-c", "user.email=test@localhost"]


def git(folder: Path, *words: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, env=environment)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of all tracked files as they are in this working tree."""
    folder = tmp_path_factory.mktemp("line-ends") / "origin"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    models = [name for name in listed.split("\0") if name.startswith("data/trained/")]
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and name not in models[1:]:  # one of them is as good as all
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, *ALWAYS_LF, "add", "-A")
    git(folder, *ALWAYS_LF, "commit", "-qm", "x")
    return folder


@pytest.mark.parametrize(
    "config", ["core.autocrlf=true", "core.autocrlf=input", "core.eol=crlf", "core.attributesFile=crlf", ""]
)
def test_a_clone_is_the_same_to_the_byte(origin: Path, tmp_path: Path, config: str) -> None:
    if "attributesFile" in config:
        (tmp_path / "crlf").write_text("* text eol=crlf\n")
        config = f"core.attributesFile={tmp_path / 'crlf'}"
    options = ["-c", config] if config else []
    git(tmp_path, *options, "clone", "-q", str(origin), "clone")
    names = [path.relative_to(origin) for path in origin.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert len(names) > 200
    changed = [str(name) for name in names if (tmp_path / "clone" / name).read_bytes() != (origin / name).read_bytes()]
    assert changed == []
