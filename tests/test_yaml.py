"""DVC reads YAML by ruamel.yaml, and much faster with the C parser that this project installs."""

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT


def test_the_c_parser_is_used() -> None:
    assert YAML(typ="safe").Parser.__module__.endswith("_ruamel_yaml")


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "conf/claims.yaml", "conf/networks.yaml"])
def test_it_reads_what_the_other_reads(name: str) -> None:
    text = (ROOT / name).read_text()
    found, expected = (YAML(typ="safe", pure=pure).load(text) for pure in (False, True))
    assert repr(found) == repr(expected)


@pytest.mark.parametrize("text", ["2e-2", "1.0e-05", "yes", "010", "1_000", "12:30", "null", "[1, 2.5, a]", "'0,1'"])
def test_it_reads_numbers_and_words_as_the_other(text: str) -> None:
    found, expected = (YAML(typ="safe", pure=pure).load(f"a: {text}") for pure in (False, True))
    assert repr(found) == repr(expected)
