"""torchvision's Inception-v3 (Szegedy et al. 2016), cut at a tap and with the pooling of its weights.

The published sets of weights differ in the pooling of three block types alone: ``torchvision`` averages with the zero
border, ``keras`` without it, ``fid2015`` does the same but takes the maximum in the last block. torchvision's blocks
pool inside their forward, so that is what the subclasses here replace; every published state dict loads as it is.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.inception import (
    BasicConv2d,
    Inception3,
    InceptionA,
    InceptionAux,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE,
)

Flavour = Literal["keras", "fid2015", "torchvision"]
Dimensions = Literal[768, 2048]


def _average(x: Tensor) -> Tensor:
    """The mean of 3 x 3 pixels, of those that are there at the border."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=1, padding=1)


class _A(InceptionA):  # type: ignore[misc]  # torchvision publishes no types
    def _forward(self, x: Tensor) -> list[Tensor]:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return [self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x)), double, self.branch_pool(_average(x))]


class _C(InceptionC):  # type: ignore[misc]
    def _forward(self, x: Tensor) -> list[Tensor]:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return [self.branch1x1(x), single, double, self.branch_pool(_average(x))]


class _E(InceptionE):  # type: ignore[misc]
    pool = staticmethod(_average)

    def _forward(self, x: Tensor) -> list[Tensor]:
        single, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        forks = [self.branch3x3_2a(single), self.branch3x3_2b(single)]
        forks += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return [self.branch1x1(x), *forks, self.branch_pool(self.pool(x))]


def inception(flavour: Flavour, dimensions: Dimensions) -> Inception3:
    """The network up to the block whose spatial mean is the feature, on the meta device: it draws no random number.

    It maps resized and scaled images ``[B, 3, H, W]`` to features ``[B, dimensions]``.

    Args:
        flavour: the pooling, see the module's first lines.
        dimensions: 768 stops after Mixed_6e, 2048 runs to the end.
    """
    blocks = [BasicConv2d, _A, InceptionB, _C, InceptionD, _E, InceptionAux]
    own = None if flavour == "torchvision" else blocks
    with torch.device("meta"):
        network = Inception3(aux_logits=False, transform_input=False, inception_blocks=own, init_weights=False)
    network.dropout, network.fc = nn.Identity(), nn.Identity()
    if flavour == "fid2015":
        network.Mixed_7c.pool = _maximum
    if dimensions == 768:
        network.Mixed_7a, network.Mixed_7b, network.Mixed_7c = nn.Identity(), nn.Identity(), nn.Identity()
    return network.eval().requires_grad_(False)


def fold(network: nn.Module) -> None:
    """Multiply every batch normalisation into its convolution: the same function, one pass less."""
    for module in network.modules():
        if isinstance(module, BasicConv2d) and isinstance(module.bn, nn.BatchNorm2d):
            module.conv, module.bn = fuse_conv_bn_eval(module.conv, module.bn), nn.Identity()
