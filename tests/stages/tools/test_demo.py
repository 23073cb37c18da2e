"""The look inside: two pictures from one small training, the same at every call."""

import os
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from ddpm.errors import StudyError
from stages.support.cores import cores
from stages.tools import demo
from tests.stage_runs import run


def shown_milliseconds(path: Path) -> int:
    """How long an animation lasts; frames that look the same are stored as one that stays longer."""
    with Image.open(path) as animation:
        return sum(frame.info["duration"] for frame in ImageSequence.Iterator(animation))


def test_a_strip_and_an_animation(tiny_study: Path) -> None:
    options = ["--schedule", "cosine", "--T", "30", "--images", "40"]
    run(demo, *options)
    strip, animation = Path("demo/strip.png"), Path("demo/denoising.gif")
    assert shown_milliseconds(animation) == 31 * 80 + 2000  # x_30 .. x_0, and a rest
    with Image.open(strip) as picture:
        assert picture.width > 800
    first = strip.read_bytes(), animation.read_bytes()
    run(demo, *options)
    assert (strip.read_bytes(), animation.read_bytes()) == first


def test_it_takes_the_cores_that_may_be_used(tiny_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a container's quota, say, and not all that the machine has."""
    asked = []

    def choose(device: str, precision: str, threads: int) -> None:
        asked.append(threads)
        raise StudyError("enough")

    monkeypatch.setattr(os, "cpu_count", lambda: 9999)
    monkeypatch.setattr(demo, "choose", choose)
    with pytest.raises(StudyError, match="enough"):
        run(demo)
    assert asked == [cores()]
    assert asked[0] < 9999
