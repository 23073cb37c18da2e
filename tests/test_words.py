"""What users read is in the field's terms: phrases that no paper or manual would use stay out of it.

Read from the sources, without importing a command: the documents, the Makefile's help, every command's help, the texts
of errors and the page.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.__main__ import AROUND, PIPELINE, source_of
from tests.conftest import ROOT

BANNED = (
    "the network puts out the noise",
    "of the image's amplitude are left",
    "the default network before this one",
    "one that was cut goes on where it was",
    "kills and hurts a small study, and counts",
    "beside the usual code",
    "ask what the network decides",
    "as can be told",
    "score in the samples' place",
    "how the house is laid out",
    "kills, faults and what must survive them",
    "a word where these are missing",
    "kill and hurt a small study in every way",
    "known holes in the pinned packages",
    "put the models of dvc.lock where git keeps them",
    "level with the files",
    "the second judge",
    "a table of beta",
    "the best possible network in the trained one's place",
    "ask what it promises, then run its column",
    "a server that is away delays nothing",
    "a network that puts out a velocity needs no clip",
    "is not told apart from",
    "what the network puts out is the noise itself",
    "the new network puts out 0",
    "residual blocks with the time in them",
    "which is dear where the image is large",
    "is tabled for all t beforehand",
    "eps_theta read off a network that gives v",
    "there eps says nothing about x_0",
    "where all randomness is born",
    "other numbers and words by their look",
    "the study's own judge of shape",
    "how sure a distance is",
    "what is wrong with its samples is the doing of schedule",
    "chancy",
    "where the corrected p allows a word",
    "brings the tracking server level with them",
    "all it said",
    "is no part of the claims, it differs in",
)
# and in any phrase
DIALECT = (
    r"puts? out",
    r"level with",
    r"told apart",
    r"judg(?:e|es|ed|ing)",
    r"a word",
    r"go(?:es|ing) on from",
    r"saved state",
)
PATTERN = re.compile(rf"{'|'.join(map(re.escape, BANNED))}|\b(?:{'|'.join(DIALECT)})\b", re.IGNORECASE)

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/how-to.md",
    "docs/findings.md",
    "data/README.md",
    "metrics/runs/README.md",
    "benchmarks/README.md",
    "benchmarks/gpu.md",
    "dvc.yaml",
    "stages/page/report.html.j2",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "conf").rglob("*.yaml"))),
)
SOURCES = sorted(path for folder in ("ddpm", "stages") for path in (ROOT / folder).rglob("*.py"))


def found(text: str) -> list[str]:
    """The banned phrases in a text, also across the end of a line."""
    return PATTERN.findall(re.sub(r"[\s#*]+", " ", text))


def strings(node: ast.AST) -> Iterator[str]:
    """The string literals in an expression, those of f-strings without their values."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def calls(path: Path, *names: str) -> Iterator[ast.Call]:
    """The calls of these functions, by the last part of their name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in names:
            yield node


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents(document: str) -> None:
    assert found((ROOT / document).read_text()) == []


def test_help_of_make() -> None:
    told = re.findall(r"^[a-z-]+:.*##(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(told) > 10
    assert found(" | ".join(told)) == []


@pytest.mark.parametrize("name", [*PIPELINE, *AROUND])
def test_help_of_commands(name: str) -> None:
    module = ast.parse(source_of(name).read_text())
    told = ast.get_docstring(module) or ""
    assert re.fullmatch(r"[A-Z][^:;]+\.", told.splitlines()[0]), "the list of commands shows one whole short sentence"
    options = [text for call in calls(source_of(name), "Option", "Argument") for text in strings(call)]
    assert found(" | ".join([told, *options])) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_errors_and_other_lines(path: Path) -> None:
    told = [text for call in calls(path, "StudyError", "Option", "print", "say", "echo") for text in strings(call)]
    assert found(" | ".join(told)) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings(path: Path) -> None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, documented)]
    assert found(" | ".join(ast.get_docstring(node) or "" for node in nodes)) == []


@pytest.mark.parametrize("text", ["The network\nputs out the noise.", "the second Judge", "level\n# with the files"])
def test_a_banned_phrase_is_found_in_any_case_and_across_lines(text: str) -> None:
    assert found(text) != []


def test_similar_terms_are_not_banned() -> None:
    assert found("judgement, a wording, the output level, a level without noise") == []


def test_the_first_screen_has_the_question_the_figure_and_the_answer() -> None:
    first, _, rest = (ROOT / "README.md").read_text().partition("<!-- end answer -->")
    lines = [line for line in first.strip().split("\n") if not line.startswith("<!--")]
    assert len(lines) <= 25
    assert "metrics/figures/fid_of_T.png" in first
    assert re.match(r"\s+The report's claims, tested:\s+<!-- begin verdicts -->", rest), "the claims come next"
