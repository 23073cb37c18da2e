"""A mixture of kinds of machines does not go unnoticed."""

from pathlib import Path

import pytest

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support import settings
from stages.tools import machines


def test_kinds_of_the_cells_of_the_study(tiny_study: Path) -> None:
    params = settings.load()
    assert machines.kinds(params) == {}
    machines.note(["train@linear-20-0", "heldout@linear-20-0", "reference"], "one")
    machines.note(["train@of-another-grid-20-0"], "two")
    assert machines.kinds(params) == {"one": 2}
    assert machines.mixture(params) == ""
    machines.note(["train@cosine-20-0", "heldout@linear-20-0"], "two")
    expected = "cells of several kinds of machines, whose rounding differs: 1 stages on one, 2 stages on two"
    assert machines.mixture(params) == expected
    assert machines.mixture(params, tiny_study) == expected
    artifacts.write_json(machines.FILE, ["one"])
    with pytest.raises(StudyError, match=r"machines\.json: not a JSON object; delete it$"):
        machines.note(["reference"], "one")
