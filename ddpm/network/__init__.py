"""Networks. Here: the parameters of one under today's names, whatever version wrote them; imports nothing heavy."""

from collections.abc import Mapping
from typing import Any

UNET = "unet"  # the kind of our own network

_PREDICTIONS = {"noise": "epsilon", "velocity": "v"}


def today(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same network under today's names.

    Checkpoints and kept runs of earlier versions call ``prediction`` ``output``, and have neither ``norm``, which was
    always ``middle``, nor ``kind``.
    """
    found = {"kind": UNET} | dict(values)
    if found["kind"] != UNET:
        return found
    if "output" in found:
        output = found.pop("output")
        found["prediction"] = _PREDICTIONS.get(output, output)
    return {"norm": "middle"} | found
