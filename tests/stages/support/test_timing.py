"""Times of stages: one line each, and no reason for a stage to fail."""

import json
from pathlib import Path

import pytest

from stages.support import timing


def test_a_line_a_stage(tiny_study: Path) -> None:
    timing.record("train", "linear-20-0", 1.234, 96)
    timing.record("fid", "", 2.0, 8)
    lines = [json.loads(line) for line in timing.TIMES.read_text().splitlines()]
    assert [(line["stage"], line["cell"], line["wall_seconds"], line["items"]) for line in lines] == [
        ("train", "linear-20-0", 1.23, 96),
        ("fid", "", 2.0, 8),
    ]


def test_a_file_that_cannot_be_written_is_a_warning(tiny_study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tiny_study / timing.TIMES).mkdir(parents=True)
    timing.record("train", "linear-20-0", 1.0, 96)
    (told,) = capsys.readouterr().err.splitlines()
    assert told.endswith("times.jsonl: the time is not recorded: Is a directory")
