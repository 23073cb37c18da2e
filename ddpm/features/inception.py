"""Features of images: an extractor is a network, its weights and everything between an image and a feature, by name.

The network is torchvision's Inception-v3 (Szegedy et al. 2016), cut at a tap. The published sets of weights differ in
the pooling of three block types alone: ``torchvision`` averages with the zero border, ``keras`` without it, ``fid2015``
does the same but takes the maximum in the last block. torchvision's blocks pool inside their forward, so that is what
the subclasses here replace; every published state dict loads as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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

from ddpm.errors import StudyError

Flavour = Literal["keras", "fid2015", "torchvision"]
Dimensions = Literal[768, 2048]
Scale = Literal["unit", "symmetric", "imagenet"]

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Extractor:
    """Everything that decides a feature, besides the image: two distances compare only if all of it is equal.

    Attributes:
        name: what tables and figures print.
        weights: name of the set of weights (a key of the fetch stage's table).
        flavour: pooling of those weights.
        dimensions: length of a feature; the tap is the spatial mean of the last block that is run.
        resolution: side, pixels, that images are resized to, half-pixel bilinear without antialiasing (pytorch-fid's).
        scale: what uint8 becomes: ``unit`` x/255, ``symmetric`` 2x/255 - 1, ``imagenet`` (x/255 - mean) / std.
    """

    name: str
    weights: str
    flavour: Flavour
    dimensions: Dimensions
    resolution: int
    scale: Scale


EXTRACTORS = {
    extractor.name: extractor
    for extractor in (
        Extractor("inception-nsfwjs-768", "nsfwjs", "keras", 768, 149, "unit"),
        Extractor("inception-nsfwjs-2048", "nsfwjs", "keras", 2048, 299, "unit"),
        Extractor("inception-fid2015-2048", "fid2015", "fid2015", 2048, 299, "symmetric"),
        Extractor("inception-torchvision-2048", "torchvision", "torchvision", 2048, 299, "imagenet"),
    )
}


def get_extractor(name: str) -> Extractor:
    """Look an extractor up by name; StudyError if it is unknown; extractors are never substituted."""
    if name not in EXTRACTORS:
        raise StudyError(f"unknown extractor {name!r}", hint=f"choose one of {', '.join(EXTRACTORS)}")
    return EXTRACTORS[name]


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


def empty_network(flavour: Flavour, dimensions: Dimensions) -> Inception3:
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


def build(extractor: Extractor, weights: Mapping[str, Tensor]) -> nn.Module:
    """The network of an extractor with its weights, batch normalisation folded, ready for ``features``.

    Args:
        extractor: which network.
        weights: state dict by torchvision's names; a classifier or blocks past the tap are ignored.

    Raises:
        StudyError: a tensor that the network needs is missing or has another shape.
    """
    network = empty_network(extractor.flavour, extractor.dimensions)
    needed = network.state_dict()
    for name, tensor in needed.items():
        if name.endswith("num_batches_tracked"):
            needed[name] = torch.zeros(())
            continue
        if name not in weights or weights[name].shape != tensor.shape:
            found = tuple(weights[name].shape) if name in weights else "missing"
            raise StudyError(
                f"{name} should be {tuple(tensor.shape)}, is {found}", where=f"weights {extractor.weights}"
            )
        needed[name] = weights[name].float()
    network.load_state_dict(needed, assign=True)
    fold(network)
    # a third faster on a CPU (41.7 to 57.3 images/s at 149 px, one thread)
    return network.to(memory_format=torch.channels_last)  # type: ignore[no-any-return]


def preprocess(images: Tensor, extractor: Extractor) -> Tensor:
    """uint8 ``[B, 1 or 3, H, W]`` -> float32 ``[B, 3, R, R]`` by the extractor's own resize and scale."""
    x = images.float().div_(255)
    size = (extractor.resolution, extractor.resolution)
    x = F.interpolate(x, size=size, mode="bilinear", align_corners=False).expand(-1, 3, -1, -1)
    if extractor.scale == "symmetric":
        return 2 * x - 1
    if extractor.scale == "imagenet":
        mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (_IMAGENET_MEAN, _IMAGENET_STD))
        return (x - mean) / std
    return x


def features(network: nn.Module, extractor: Extractor, images: Tensor) -> Tensor:
    """Features of one batch of uint8 images ``[B, 1, 28, 28]``: float32 ``[B, dimensions]`` on the CPU.

    ``core.device.feature_batch`` says which batch size suits a device.
    """
    device = next(network.parameters()).device
    with torch.inference_mode():
        x = preprocess(images.to(device), extractor).contiguous(memory_format=torch.channels_last)
        return network(x).float().cpu()  # type: ignore[no-any-return]
