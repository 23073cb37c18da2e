"""Tests of the committed numbers, which a study of the user's own need not have."""

import subprocess

import pytest

from tests.conftest import ROOT


def changed() -> bool:
    """Whether the results or what they were made with are not as committed."""
    compared = ("metrics", "dvc.lock", "params.yaml")
    done = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", *compared], cwd=ROOT, capture_output=True, text=True)
    if done.returncode > 1:  # or a Git that fails would leave out every test of a number
        raise RuntimeError(done.stderr)
    return done.returncode == 1


only_as_committed = pytest.mark.skipif(changed(), reason="the study is not as committed")
