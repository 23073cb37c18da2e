"""The repository's Makefile with a project that `make` installs in seconds, by a real venv and a real pip.

The project has no dependencies and a build backend of its own, so that pip needs no network; its `dvc` and its stages
print their arguments.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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
STUDY = ["stages.tools.compose --compare", "stages.tools.grid --jobs 3", "dvc repro", "stages.tools.publish"]


def project(folder: Path) -> Path:
    """The Makefile with a project that takes no time to install."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", folder)
    files = {"pyproject.toml": PROJECT, "backend.py": BACKEND, "constraints.txt": "", "stages/__init__.py": ""}
    files |= {f"stages/tools/{name}.py": SAYS for name in ("compose", "grid", "publish", "demo", "ui")}
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
