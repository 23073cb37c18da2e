"""The rules of the house, read off the sources."""

import ast
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

SOURCES = sorted([*ROOT.glob("ddpm/**/*.py"), *ROOT.glob("stages/**/*.py")])
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]

# What cannot change an output's content, so no stage depends on it:
NEUTRAL = {
    "ddpm/errors.py": "messages of errors",
    "ddpm/artifacts.py": "file formats; tests/ddpm/test_artifacts.py holds their bytes",
    "stages/support": "names, paths, exit codes, validation, side files; a resumed stage ends with the same bytes "
    "(tests/stages/support/test_resume.py), and parameters are tracked as params",
    "stages/tools": "commands around the pipeline",
}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> set[str]:
    """Every module name that a source imports anywhere, ``from a import b`` counting as a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}: relative import"
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def tops(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def lies_under(path: str, places: Iterable[str]) -> bool:
    """Whether a file is one of the places or lies in one of them."""
    return any(path == place or path.startswith(f"{place}/") for place in places)


def transitive(path: Path, seen: set[str]) -> set[str]:
    if relative(path) in seen or lies_under(relative(path), NEUTRAL):
        return seen
    seen.add(relative(path))
    for name in imported(path):
        file = ROOT / (name.replace(".", "/") + ".py")
        if file.exists():
            transitive(file, seen)
    return seen


def code_deps(stage: str) -> list[str]:
    return [dep for dep in PIPELINE[stage]["deps"] if dep.split("/")[0] in ("ddpm", "stages")]


@pytest.mark.parametrize("stage", list(PIPELINE))
def test_every_import_lies_under_a_dep_and_no_dep_is_without_an_import(stage: str) -> None:
    match = re.search(r"python -m ([\w.]+)", PIPELINE[stage]["cmd"])
    assert match
    assert match[1] == f"stages.{stage}"
    needed = transitive(ROOT / (match[1].replace(".", "/") + ".py"), set())
    stated = code_deps(stage)
    assert sorted(path for path in needed if not lies_under(path, stated)) == []
    pages = {"stages/page"}  # a template, which nothing imports
    assert [dep for dep in stated if not any(lies_under(path, [dep]) for path in needed) and dep not in pages] == []
    assert all((ROOT / dep).exists() for dep in stated)


def test_a_folder_of_stages_holds_what_it_says() -> None:
    top = {path.stem for path in (ROOT / "stages").glob("*.py")}
    assert top == set(PIPELINE) | {"__init__", "__main__"}
    assert len((ROOT / "dvc.yaml").read_text().splitlines()) <= 240
    assert sum(len(code_deps(stage)) for stage in PIPELINE) <= 90
    for folder in ("ddpm", "stages"):
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), (
                f"{relative(path)}: no package, setuptools would leave it out"
            )


# what a package of stages may import of the others; commands at the top import from all but tools
BELOW = {
    "support": {"support"},
    "fetch": {"fetch", "support"},
    "inputs": {"inputs", "support"},
    "figures": {"figures", "analysis", "support"},
    "analysis": {"analysis", "support"},
}


OF_THE_LIBRARY = {"ddpm", "torch", "torchvision", "numpy", "scipy", "safetensors", "diffusers"}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_go_one_way(path: Path) -> None:
    if relative(path).startswith("ddpm/"):
        assert tops(path) <= OF_THE_LIBRARY | sys.stdlib_module_names
    parts = {name.split(".")[1] for name in imported(path) if name.startswith("stages.")}
    if path.parent.name in BELOW:
        assert parts <= BELOW[path.parent.name], relative(path)
    if path.parent.name == "stages" and path.name != "__main__.py":  # NEUTRAL hides tools from the test of deps
        assert "tools" not in parts, relative(path)
    assert "benchmarks" not in tops(path)
    if path.parent.name != "tools" or path.name not in ("live.py", "origin.py", "store.py", "system.py", "tracking.py"):
        assert "mlflow" not in tops(path)
    if path.name not in ("compose.py", "lock.py"):
        assert "dvc" not in tops(path)


# calls that draw from, or change, torch's or numpy's global state
GLOBAL_RANDOMNESS = re.compile(r"manual_seed|np\.random\.|torch\.(rand|randn|randint|randperm|rand_like|randn_like)\(")


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_randomness_is_born_in_rng_alone(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = GLOBAL_RANDOMNESS.search(line)
        if match and path.name != "rng.py":
            assert "generator=" in line, f"{relative(path)}:{number}: {line.strip()}"
        assert path.name == "rng.py" or "torch.Generator(" not in line, f"{relative(path)}:{number}"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_files_are_touched_in_few_places(path: Path) -> None:
    allowed = {"artifacts.py", "settings.py", "timing.py", "cores.py"}  # cores.py runs before there is an environment
    touching = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "fdopen"}
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or path.name in allowed:
            continue
        function = node.func
        name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
        owner = getattr(getattr(function, "value", None), "id", "")
        assert (
            name not in touching
            or owner in {"artifacts", "tarfile"}
            or (isinstance(function, ast.Name) and name != "open")
        )


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_unrestricted_pickle(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            assert ("weights_only", True) in {(k.arg, getattr(k.value, "value", None)) for k in node.keywords}
        if isinstance(node, ast.Call) and re.search(r"^np\.load$|\bread_array$", ast.unparse(node.func)):
            assert ("allow_pickle", False) in {(k.arg, getattr(k.value, "value", None)) for k in node.keywords}
        assert not (isinstance(node, ast.keyword) and node.arg == "shell"), f"{relative(path)}: a shell"


def test_modules_stay_readable() -> None:
    every = [*SOURCES, *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py")]
    assert [relative(path) for path in every if len(path.read_text().splitlines()) > 220] == []


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_functions_stay_readable(path: Path) -> None:
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{relative(path)}: {node.name}"


def test_aggregate_iterates_the_grid_and_never_looks_around() -> None:
    text = (ROOT / "stages" / "aggregate.py").read_text()
    assert not re.search(r"glob|iterdir|listdir|scandir", text)


def test_no_registry_host_is_written_down() -> None:
    hosts = re.compile("|".join(("pypi", "npmjs", "pythonhosted")) + r"\.(org|com)")
    for path in [*SOURCES, ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "constraints.txt"]:
        assert not hosts.search(path.read_text()), relative(path)


def test_what_a_killed_write_leaves_does_not_count_in_a_folder() -> None:
    """DVC hashes whole folders: a file of another clone's accident would make them differ."""
    from dvc.repo import Repo

    folder = ROOT / "data" / "results" / "cells"
    with tempfile.NamedTemporaryFile(prefix=".linear-50-0-clipped.json.") as left:  # as ddpm.artifacts names its own
        names = {Path(left.name).name: True, ".gitignore": False, "linear-50-0-clipped.json": False}
    with Repo(str(ROOT)) as repo:
        assert {name: repo.dvcignore.is_ignored_file(str(folder / name)) for name in names} == names
