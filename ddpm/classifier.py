"""A small convolutional classifier of digits: the study's own judge of shape, beside Inception's judgement of texture.

It is trained by the pipeline on the same images as the diffusion models, in a minute. Its features are what the last
hidden layer sees, its probabilities say which digit a sample is and how surely.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm import rng

CLASSES = 10
DIMENSIONS = 128
_SHIFT = 2  # pixels: the largest random translation in training


@dataclass(frozen=True)
class Recipe:
    """How to train: epochs over the data, images per step, and the highest learning rate of one cycle (Smith 2018)."""

    epochs: int
    batch_size: int
    learning_rate: float


class Classifier(nn.Module):
    """uint8 ``[B, 1, 28, 28]`` -> class scores. Batch norm's statistics are fixed when it judges."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *self._layer(1, 32, 5, stride=2),  # 28 -> 14
            *self._layer(32, 64, 3, stride=1),
            nn.MaxPool2d(2),  # 14 -> 7
            *self._layer(64, 64, 3, stride=1),
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, DIMENSIONS),
            nn.ReLU(),
        )
        self.head = nn.Linear(DIMENSIONS, CLASSES)

    @staticmethod
    def _layer(c_in: int, c_out: int, side: int, stride: int) -> list[nn.Module]:
        conv = nn.Conv2d(c_in, c_out, side, stride, padding=side // 2, bias=False)
        return [conv, nn.BatchNorm2d(c_out), nn.ReLU()]

    def features(self, images: Tensor) -> Tensor:
        """uint8 ``[B, 1, 28, 28]`` -> float32 ``[B, DIMENSIONS]``, >= 0."""
        return self.body(images.float() / 255)  # type: ignore[no-any-return]

    def forward(self, images: Tensor) -> Tensor:
        """uint8 ``[B, 1, 28, 28]`` -> unnormalised log-probabilities, float32 ``[B, CLASSES]``."""
        return self.head(self.features(images))  # type: ignore[no-any-return]


def initialise(network: Classifier, generator: torch.Generator) -> None:
    """Fill every weight from the generator (He et al. 2015), ones and zeros for norms and biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """The batch moved by up to ``_SHIFT`` pixels in each direction, black coming in."""
    down, right = torch.randint(-_SHIFT, _SHIFT + 1, (2,), generator=generator).tolist()
    return F.pad(images, (right, -right, down, -down))


def train(
    network: Classifier, images: Tensor, labels: Tensor, recipe: Recipe, seed: int
) -> Iterator[tuple[int, Tensor]]:
    """Train in place; yield (images in the step, mean cross-entropy) after every step.

    Args:
        network: initialised.
        images: uint8 ``[N, 1, 28, 28]``, on the network's device.
        labels: uint8 ``[N]``, likewise.
        recipe: how.
        seed: names the data order and the shifts.
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=0.01, fused=True)
    steps = recipe.epochs * -(-len(images) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.learning_rate, total_steps=steps)
    network.train()
    for epoch in range(1, recipe.epochs + 1):
        order = torch.randperm(len(images), generator=rng.stream(seed, "classifier order", epoch))
        shifts = rng.stream(seed, "classifier shifts", epoch)
        for batch in order.to(images.device).split(recipe.batch_size):
            loss = F.cross_entropy(network(_shifted(images[batch], shifts)), labels[batch].long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            yield len(batch), loss.detach()
    network.eval()


@torch.no_grad()
def judge(network: Classifier, images: Tensor, batch_size: int = 500) -> tuple[Tensor, Tensor]:
    """Features float32 ``[N, DIMENSIONS]`` and class probabilities float32 ``[N, CLASSES]`` of uint8 images."""
    network.eval()
    features = torch.cat([network.features(batch) for batch in images.split(batch_size)])
    return features, network.head(features).softmax(1)
