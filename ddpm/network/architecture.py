"""The shape of our own U-Net, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ddpm.core.mnist import SIDE
from ddpm.errors import StudyError
from ddpm.network.layers import HEAD_CHANNELS


@dataclass(frozen=True)
class Architecture:
    """The shape of a U-Net.

    Attributes:
        patch: side of the space-to-depth patches, pixels; 1 for none.
        channels: channels of each level, finest first; each level halves the side.
        blocks: residual blocks of every level but the last on the way down, and as many on the way up.
        middle_blocks: residual blocks of the last level; every second one is dilated.
        attention: self-attention after them.
        stem_kernel: side of the first convolution; 1 mixes the channels of a patch and leaves the rest to the blocks.
        kernels: sides of a block's two convolutions. A second of 1 x 1 takes almost half of the operations away.
        downsample: how a level is left: ``strided`` convolution, or ``maxpool`` as in the report.
        prediction: what the network predicts: ``epsilon`` as in the report, or ``v`` (see ``denoiser``).
        octaves: octaves k of the input's sines and cosines (see ``fourier_features``); none as in the report.
        norm: which residual blocks normalise: ``all``, those of the ``middle``, which is cheap, or ``none``.
    """

    patch: int
    channels: tuple[int, ...]
    blocks: int
    middle_blocks: int
    attention: bool
    stem_kernel: int
    kernels: tuple[int, int]
    downsample: Literal["strided", "maxpool"]
    prediction: Literal["epsilon", "v"]
    octaves: tuple[int, ...]
    norm: Literal["all", "middle", "none"]

    def __post_init__(self) -> None:
        side = self.patch * 2 ** (len(self.channels) - 1)
        if self.patch < 1 or not self.channels or SIDE % side:
            raise StudyError(
                f"patch {self.patch} and {len(self.channels)} levels do not divide {SIDE} x {SIDE} images",
                where="network",
                hint="patch x 2^(levels - 1) must be 1, 2, 4, 7, 14 or 28",
            )
        if len(self.kernels) != 2 or any(k < 1 or k % 2 == 0 for k in (self.stem_kernel, *self.kernels)):
            raise StudyError(
                f"kernels must be odd, two per block: {self.stem_kernel}, {self.kernels}",
                where="network.stem_kernel, network.kernels",
            )
        if self.attention and self.channels[-1] % HEAD_CHANNELS:
            raise StudyError(
                f"attention needs a last level of a multiple of {HEAD_CHANNELS} channels",
                where=f"network.channels {self.channels}",
            )


def from_mapping(values: Mapping[str, Any]) -> Architecture:
    """An architecture from plain values under today's names (``ddpm.network.today``); ``kind`` is left out.

    Raises:
        TypeError: a name that is missing or unknown.
    """
    shape: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    shape.pop("kind", None)
    return Architecture(**shape)
