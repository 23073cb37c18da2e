"""Every experiment of conf/campaign.yaml is one that is not refused."""

from pathlib import Path

import pytest
import yaml

from stages.support import pairs, settings
from stages.tools.compose import compose
from tests.conftest import ROOT

EXPERIMENTS = yaml.safe_load((ROOT / "conf" / "campaign.yaml").read_text())["experiments"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    compose(tmp_path / "params.yaml", ROOT / "conf", EXPERIMENTS[name]["overrides"])
    pairs.check_chains(settings.load())
