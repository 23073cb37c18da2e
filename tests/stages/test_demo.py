"""The look inside: two pictures from one small training, the same at every call."""

from pathlib import Path

from PIL import Image

from stages import demo
from tests.stage_runs import run


def test_a_strip_and_an_animation(tiny_study: Path) -> None:
    options = ["--schedule", "cosine", "--T", "30", "--images", "40"]
    run(demo, *options)
    strip, animation = Path("demo/strip.png"), Path("demo/denoising.gif")
    with Image.open(animation) as frames:
        assert frames.n_frames == 31  # type: ignore[attr-defined]  # x_30 .. x_0
    with Image.open(strip) as picture:
        assert picture.width > 800
    first = strip.read_bytes(), animation.read_bytes()
    run(demo, *options)
    assert (strip.read_bytes(), animation.read_bytes()) == first
