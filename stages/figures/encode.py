"""Arrays and figures as PNG, GIF, SVG and data URIs."""

import base64
import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ddpm import artifacts


def data_uri(data: bytes, kind: str) -> str:
    """Bytes of a media type as a URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def png(pixels: np.ndarray) -> str:
    """uint8 ``[height, width]`` as a grey PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")


def png_file(path: Path) -> str:
    """A PNG file as it is."""
    return data_uri(artifacts.read_bytes(path), "image/png")


def png_of(figure: Figure) -> bytes:
    """A figure as PNG, without the version that matplotlib would put in: equal figures, equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def gif(frames: "list[Image.Image]") -> bytes:
    """A looping animation that pauses on its last frame."""
    buffer = io.BytesIO()
    times = [80] * (len(frames) - 1) + [2000]  # milliseconds
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    return buffer.getvalue()


def svg(figure: Figure) -> str:
    """A figure as an SVG element: sharp at any size, and the same bytes for the same figure."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "study"}):
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return buffer.getvalue()[buffer.getvalue().index("<svg") :]


def strip(frames: np.ndarray) -> np.ndarray:
    """``[frames, images, 28, 28]`` -> one picture: a row a frame, the images side by side."""
    count, images, side, _ = frames.shape
    return frames.transpose(0, 2, 1, 3).reshape(count * side, images * side)
