"""`make` in folders, environments and states that real machines have: a real venv and a real pip, tiny packages in it.

The Makefile is the repository's. The project that it installs has no dependencies and a build backend of its own, so
that pip needs no network; its `dvc` and its stages print their arguments.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

BACKEND = """
import zipfile
META = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n"
FILES = {
    "tiny.py": "def main():\\n    import sys\\n    print('dvc', *sys.argv[1:])\\n",
    "tiny-1.dist-info/METADATA": META,
    "tiny-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "tiny-1.dist-info/entry_points.txt": "[console_scripts]\\ndvc = tiny:main\\n",
}
def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/tiny-1-py3-none-any.whl", "w") as wheel:
        for name, text in FILES.items():
            wheel.writestr(name, text)
        record = "tiny-1.dist-info/RECORD"
        wheel.writestr(record, "".join(f"{name},,\\n" for name in [*FILES, record]))
    return "tiny-1-py3-none-any.whl"
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
PROJECT += '[project]\nname = "tiny"\nversion = "1"\n'
SAYS = "import sys\nprint(__spec__.name, *sys.argv[1:])\n"
STUDY = ["stages.tools.grid --jobs 3", "dvc repro", "stages.tools.publish"]


def project(folder: Path) -> Path:
    """The Makefile with a project that takes no time to install."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    files = {"pyproject.toml": PROJECT, "backend.py": BACKEND, "constraints.txt": "", "stages/__init__.py": ""}
    files |= {f"stages/tools/{name}.py": SAYS for name in ("grid", "publish", "demo", "ui")}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "stages" / "support").mkdir()
    shutil.copy(ROOT / "stages" / "support" / "cores.py", folder / "stages" / "support")
    return folder


def make(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run make there, with this interpreter as the user's Python and an npm on the PATH."""
    tools = folder.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "npm").write_text("#!/bin/sh\n")
    (tools / "npm").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "VIRTUAL_ENV"))}
    kept["PATH"] = f"{tools}:/usr/bin:/bin"
    base = Path(sys.base_prefix) / "bin" / "python3"
    command = ["make", "--silent", f"PYTHON={base}", *words]
    return subprocess.run(command, cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=300)


def studied(folder: Path, *words: str, **environment: str) -> None:
    """`make study` works there."""
    done = make(folder, "study", "JOBS=3", *words, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == STUDY


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make study` has run."""
    folder = project(tmp_path_factory.mktemp("make") / "study")
    studied(folder)
    return folder


@pytest.fixture
def folder(installed: Path, tmp_path: Path) -> Path:
    """The same at another path, as after `mv`, with the environment made for the old one."""
    return Path(shutil.copytree(installed, tmp_path / "renamed", symlinks=True))


def inode(folder: Path) -> int:
    """Which file the environment's Python is."""
    return (folder / ".venv" / "pyvenv.cfg").stat().st_ino


@pytest.mark.parametrize("name", ["my study", "it's (2)", "Étude 50%#1", "-a&b;c$1"])
def test_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    studied(project(tmp_path / name))


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


def test_a_renamed_folder(folder: Path) -> None:
    studied(folder)
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


def planned(folder: Path, *words: str, **environment: str) -> str:
    """What `make -n` would run."""
    return make(folder, "-n", *words, **environment).stdout


def test_options_of_the_demo(installed: Path) -> None:
    told = planned(installed, "demo", "SCHEDULE=cosine", "T=50", "SEED=3")
    assert "stages.tools.demo --schedule 'cosine' --T '50' --seed '3'" in told
    assert "stages.tools.demo\n" in planned(installed, "demo").replace("  ", "").replace(" \n", "\n")
    leaked = planned(installed, "demo", SEED="7", T="2", SCHEDULE="x")  # variables of a shell's own
    assert "--seed" not in leaked
    assert "--T" not in leaked
    assert "stages.tools.ui --port '5057'" in planned(installed, "ui", "PORT=5057")


def test_cells_at_a_time_are_the_cores_that_may_be_used(installed: Path) -> None:
    allowed = sorted(os.sched_getaffinity(0))
    try:
        os.sched_setaffinity(0, allowed[:1])
        assert "--jobs 1\n" in planned(installed, "study")
    finally:
        os.sched_setaffinity(0, allowed)


GPU = ["exit 9", "echo No devices were found", "exit 0", "kill -SEGV $$"]


@pytest.mark.parametrize("body", [*GPU, "echo 'GPU 0: NVIDIA H100'"])
def test_a_gpu_counts_when_it_answers(installed: Path, body: str) -> None:
    command = installed.parent / "tools" / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{body}\n")
    command.chmod(0o755)
    try:
        told = planned(installed, "study")
    finally:
        command.unlink()
    cores = len(os.sched_getaffinity(0))
    assert f"--jobs {cores if body in GPU else 4}\n" in told


def test_dvcs_own_line_is_not_hidden() -> None:
    """`dvc --quiet` hides DVC's errors too."""
    assert "--quiet" not in "".join(line for line in (ROOT / "Makefile").read_text().splitlines() if "dvc " in line)
