"""Inception-v3's module tree (Szegedy et al. 2016), with torchvision's parameter names and three ways of pooling.

Every published PyTorch state dict loads as it is. The sets of weights differ in the pooling of three block types alone:
``keras`` averages without the zero border, ``fid2015`` does the same but takes the maximum in the last block,
``torchvision`` averages with the border.

Our own tree, not torchvision's, because it must stop at a tap, pool in three ways, and be imported once per cell:
importing torchvision costs as much time as the features of 150 images.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

Flavour = Literal["keras", "fid2015", "torchvision"]
Dimensions = Literal[768, 2048]


class BasicConv2d(nn.Module):
    """Convolution without bias, batch normalisation, ReLU; ``bn`` becomes the identity once folded."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int | tuple[int, int], stride: int = 1, pad: int | tuple[int, int] = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, pad, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(c_out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)

    def fold(self) -> None:
        """Multiply the batch normalisation into the convolution: same function, one pass less."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv, self.bn = fuse_conv_bn_eval(self.conv, self.bn), nn.Identity()


class Block(nn.Module):
    """Branches of convolutions, side by side, concatenated; a branch may end in a fork of two."""

    def __init__(self, pool: str, layers: Mapping[str, BasicConv2d], branches: tuple[tuple[str, ...], ...]) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.pool, self.branches = pool, branches

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == "reduce":
            return F.max_pool2d(x, 3, stride=2)
        if self.pool == "max":
            x = F.max_pool2d(x, 3, stride=1, padding=1)
        else:
            x = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=self.pool == "avg-with-border")
        return self.get_submodule("branch_pool")(x)  # type: ignore[no-any-return]

    def _branch(self, x: Tensor, names: tuple[str, ...]) -> Iterator[Tensor]:
        for name in names:
            if "|" in name:  # the fork of Inception-E: two convolutions of the same input
                yield from (self.get_submodule(end)(x) for end in name.split("|"))
                return
            x = self.get_submodule(name)(x)
        yield x

    def forward(self, x: Tensor) -> Tensor:
        outputs = [y for names in self.branches for y in self._branch(x, names)]
        return torch.cat([*outputs, self._pooled(x)], 1)


def _block_a(c: int, pool_features: int, pool: str) -> Block:
    layers = {
        "branch1x1": BasicConv2d(c, 64, 1),
        "branch5x5_1": BasicConv2d(c, 48, 1),
        "branch5x5_2": BasicConv2d(48, 64, 5, pad=2),
        "branch3x3dbl_1": BasicConv2d(c, 64, 1),
        "branch3x3dbl_2": BasicConv2d(64, 96, 3, pad=1),
        "branch3x3dbl_3": BasicConv2d(96, 96, 3, pad=1),
        "branch_pool": BasicConv2d(c, pool_features, 1),
    }
    double = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
    return Block(pool, layers, (("branch1x1",), ("branch5x5_1", "branch5x5_2"), double))


def _block_b(c: int) -> Block:
    layers = {
        "branch3x3": BasicConv2d(c, 384, 3, 2),
        "branch3x3dbl_1": BasicConv2d(c, 64, 1),
        "branch3x3dbl_2": BasicConv2d(64, 96, 3, pad=1),
        "branch3x3dbl_3": BasicConv2d(96, 96, 3, 2),
    }
    return Block("reduce", layers, (("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")))


def _row(c_in: int, c_out: int) -> BasicConv2d:
    return BasicConv2d(c_in, c_out, (1, 7), pad=(0, 3))


def _column(c_in: int, c_out: int) -> BasicConv2d:
    return BasicConv2d(c_in, c_out, (7, 1), pad=(3, 0))


def _block_c(c: int, c7: int, pool: str) -> Block:
    layers = {
        "branch1x1": BasicConv2d(c, 192, 1),
        "branch7x7_1": BasicConv2d(c, c7, 1),
        "branch7x7_2": _row(c7, c7),
        "branch7x7_3": _column(c7, 192),
        "branch7x7dbl_1": BasicConv2d(c, c7, 1),
        "branch7x7dbl_2": _column(c7, c7),
        "branch7x7dbl_3": _row(c7, c7),
        "branch7x7dbl_4": _column(c7, c7),
        "branch7x7dbl_5": _row(c7, 192),
        "branch_pool": BasicConv2d(c, 192, 1),
    }
    single = tuple(f"branch7x7_{i}" for i in (1, 2, 3))
    double = tuple(f"branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5))
    return Block(pool, layers, (("branch1x1",), single, double))


def _block_d(c: int) -> Block:
    layers = {
        "branch3x3_1": BasicConv2d(c, 192, 1),
        "branch3x3_2": BasicConv2d(192, 320, 3, 2),
        "branch7x7x3_1": BasicConv2d(c, 192, 1),
        "branch7x7x3_2": _row(192, 192),
        "branch7x7x3_3": _column(192, 192),
        "branch7x7x3_4": BasicConv2d(192, 192, 3, 2),
    }
    return Block("reduce", layers, (("branch3x3_1", "branch3x3_2"), tuple(f"branch7x7x3_{i}" for i in (1, 2, 3, 4))))


def _block_e(c: int, pool: str) -> Block:
    layers = {"branch1x1": BasicConv2d(c, 320, 1), "branch3x3_1": BasicConv2d(c, 384, 1)}
    layers |= {"branch3x3dbl_1": BasicConv2d(c, 448, 1), "branch3x3dbl_2": BasicConv2d(448, 384, 3, pad=1)}
    for stem in ("branch3x3_2", "branch3x3dbl_3"):
        layers[f"{stem}a"] = BasicConv2d(384, 384, (1, 3), pad=(0, 1))
        layers[f"{stem}b"] = BasicConv2d(384, 384, (3, 1), pad=(1, 0))
    layers["branch_pool"] = BasicConv2d(c, 192, 1)
    double = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a|branch3x3dbl_3b")
    return Block(pool, layers, (("branch1x1",), ("branch3x3_1", "branch3x3_2a|branch3x3_2b"), double))


class InceptionV3(nn.Module):
    """Szegedy et al. 2016 without the classifier, run up to the block whose spatial mean is the feature.

    Args:
        flavour: see the module's first lines.
        dimensions: 768 stops after Mixed_6e, 2048 runs to the end.
    """

    def __init__(self, flavour: Flavour, dimensions: Dimensions) -> None:
        super().__init__()
        pool = "avg-with-border" if flavour == "torchvision" else "avg"
        stem = {
            "Conv2d_1a_3x3": BasicConv2d(3, 32, 3, 2),
            "Conv2d_2a_3x3": BasicConv2d(32, 32, 3),
            "Conv2d_2b_3x3": BasicConv2d(32, 64, 3, pad=1),
            "maxpool1": nn.MaxPool2d(3, 2),
            "Conv2d_3b_1x1": BasicConv2d(64, 80, 1),
            "Conv2d_4a_3x3": BasicConv2d(80, 192, 3),
            "maxpool2": nn.MaxPool2d(3, 2),
        }
        blocks = {
            "Mixed_5b": _block_a(192, 32, pool),
            "Mixed_5c": _block_a(256, 64, pool),
            "Mixed_5d": _block_a(288, 64, pool),
            "Mixed_6a": _block_b(288),
            "Mixed_6b": _block_c(768, 128, pool),
            "Mixed_6c": _block_c(768, 160, pool),
            "Mixed_6d": _block_c(768, 160, pool),
            "Mixed_6e": _block_c(768, 192, pool),
        }
        if dimensions == 2048:
            last = "max" if flavour == "fid2015" else pool
            blocks |= {"Mixed_7a": _block_d(768), "Mixed_7b": _block_e(1280, pool), "Mixed_7c": _block_e(2048, last)}
        for name, module in {**stem, **blocks}.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """Resized and scaled images ``[B, 3, H, W]`` -> features ``[B, dimensions]``."""
        for module in self.children():
            x = module(x)
        return x.mean((2, 3))
