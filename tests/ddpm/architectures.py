"""Networks that are small enough for tests."""

import dataclasses

from ddpm.network.architecture import Architecture

SMALL = Architecture(
    patch=2,
    channels=(16, 32),
    blocks=1,
    middle_blocks=1,
    attention=False,
    stem_kernel=1,
    kernels=(3, 1),
    downsample="strided",
    prediction="v",
    norm="middle",
    octaves=(2, 4),
)
# with every kind of layer
MIXED = dataclasses.replace(SMALL, middle_blocks=2, attention=True)
TINY = dataclasses.replace(
    SMALL, patch=4, channels=(8,), stem_kernel=3, kernels=(3, 3), prediction="epsilon", octaves=()
)
FULL = Architecture(
    patch=1,
    channels=(8, 16, 32),
    blocks=2,
    middle_blocks=2,
    attention=True,
    stem_kernel=3,
    kernels=(3, 3),
    downsample="maxpool",
    prediction="epsilon",
    norm="all",
    octaves=(),
)
