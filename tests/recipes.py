"""The recipes of docs/how-to.md, and a way to follow one on a study: its code is taken from the page."""

import re

from tests.conftest import ROOT
from tests.dvc_study import Study

PAGE = (ROOT / "docs" / "how-to.md").read_text()
SECTIONS = {part.splitlines()[0]: part for part in PAGE.split("\n## ")[1:]}


def blocks(section: str, language: str) -> list[str]:
    """The code of one recipe in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[section], re.MULTILINE | re.DOTALL)


def follow(study: Study, script: str) -> list[str]:
    """Run a recipe's shell lines; the stages that ran."""
    study.ran_file.write_text("")
    study.call("bash", "-euc", script)
    return [line.split()[0] for line in study.ran()]


def follow_section(study: Study, section: str) -> list[str]:
    return follow(study, "\n".join(blocks(section, "bash")))
