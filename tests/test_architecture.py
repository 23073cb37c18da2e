"""The rules of the house, read off the sources."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

SOURCES = sorted([*ROOT.glob("ddpm/*.py"), *ROOT.glob("stages/*.py")])
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]

# Modules that cannot change an output's content, so no stage depends on them:
NEUTRAL = {
    "ddpm/errors.py": "words of errors",
    "ddpm/artifacts.py": "file formats; tests/ddpm/test_artifacts.py holds their bytes",
    "stages/_cells.py": "names and paths, which dvc.yaml states as well",
    "stages/_cli.py": "progress and exit codes",
    "stages/_params.py": "validation; the values are tracked as params",
    "stages/_paths.py": "the place of side files",
    "stages/_resume.py": "a stage that was cut ends with the bytes of one that was not: tests/stages/test_resume.py",
    "stages/_times.py": "a side file",
    "stages/_tracking.py": "MLflow, which receives outputs and makes none",
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


def transitive(path: Path, seen: set[str]) -> set[str]:
    if relative(path) in seen | set(NEUTRAL):
        return seen
    seen.add(relative(path))
    for name in imported(path):
        file = ROOT / (name.replace(".", "/") + ".py")
        if file.exists():
            transitive(file, seen)
    return seen


@pytest.mark.parametrize("stage", list(PIPELINE))
def test_deps_of_a_stage_are_its_imports(stage: str) -> None:
    match = re.search(r"python -m ([\w.]+)", PIPELINE[stage]["cmd"])
    assert match
    needed = transitive(ROOT / (match[1].replace(".", "/") + ".py"), set())
    stated = {dep for dep in PIPELINE[stage]["deps"] if dep.endswith(".py")}
    assert stated == needed


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_go_one_way(path: Path) -> None:
    if path.parent.name == "ddpm":
        assert not tops(path) & {"stages", "dvc", "mlflow", "typer", "rich", "pydantic", "yaml", "requests"}
    assert "benchmarks" not in tops(path)
    if path.name != "_tracking.py":
        assert "mlflow" not in tops(path)
    if path.name != "compose.py":
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
    allowed = {"artifacts.py", "_params.py", "_times.py"}
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
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
            assert ("allow_pickle", False) in {(k.arg, getattr(k.value, "value", None)) for k in node.keywords}
        assert not (isinstance(node, ast.keyword) and node.arg == "shell"), f"{relative(path)}: a shell"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_modules_and_functions_stay_readable(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 260
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
