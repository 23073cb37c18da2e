"""What the documents say of the pinned packages is what constraints.txt pins."""

import re

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.conftest import ROOT


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def test_every_line_pins_one_version_and_no_local_build() -> None:
    """A pin of `2.14.1+cu130` would refuse PyTorch's CPU build, and every machine but one."""
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"#.*|[A-Za-z0-9_.-]+==[0-9a-z.]+", line), line


def test_the_cpu_build_that_the_documents_name_meets_the_pins() -> None:
    text = (ROOT / "docs" / "how-to.md").read_text()
    for package in ("torch", "torchvision"):
        assert set(re.findall(rf"{package}==([\d.]+\d)", text)) == {pins()[package]}
    (build,) = re.findall(r"`([\d.]+\+cpu)`", text)
    assert Version(build) in SpecifierSet(f"=={pins()['torch']}")
