"""Links between the documents lead to files and headings that exist."""

import re
from itertools import chain
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for path in chain(
        ROOT.glob("*.md"), *(ROOT.glob(f"{name}/**/*.md") for name in ("docs", "benchmarks", "data", "metrics"))
    )
)


def anchors(text: str) -> set[str]:
    """What a heading is called in an address: in lower case, without punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    path = ROOT / document
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#]*)#?([^)]*)\)", path.read_text()):
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), target
        assert not anchor or anchor in anchors(there.read_text()), (target, anchor)


def test_the_address_of_a_heading() -> None:
    assert anchors("# FID = f(T)\n## How-to: it's `x`\n") == {"fid--ft", "how-to-its-x"}
