"""Tests of the committed numbers, which a study of the user's own need not have."""

import subprocess

import pytest

from tests.conftest import ROOT


def changed() -> bool:
    """Whether metrics/ is not as committed."""
    return bool(
        subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "metrics"], cwd=ROOT, capture_output=True).returncode
    )


only_as_committed = pytest.mark.skipif(changed(), reason="metrics/ is not as committed")
