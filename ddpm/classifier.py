"""A small MNIST classifier whose features give a second Frechet distance, of shape where Inception's is of texture.

It is trained by the pipeline on the same images as the diffusion models, in a minute. Its features are what the last
hidden layer sees, its probabilities classify a sample.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ddpm import artifacts
from ddpm.core import rng
from ddpm.errors import StudyError

CLASSES = 10
DIMENSIONS = 128
_SHIFT = 2  # pixels: the largest random translation in training


@dataclass(frozen=True)
class ClassifierRecipe:
    """How to train: epochs over the data, images per step, and the highest learning rate of one cycle (Smith 2018)."""

    epochs: int
    batch_size: int
    learning_rate: float


class Classifier(nn.Module):
    """uint8 ``[B, 1, 28, 28]`` -> class scores. Batch norm's statistics are fixed when it predicts."""

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


class ClassifierTraining:
    """Training of a classifier, step by step; resumable.

    Args:
        network: initialised; trained in place.
        images: uint8 ``[N, 1, 28, 28]``, on the network's device.
        labels: uint8 ``[N]``, likewise.
        recipe: how.
        seed: names the data order and the shifts.
    """

    def __init__(
        self, network: Classifier, images: Tensor, labels: Tensor, recipe: ClassifierRecipe, seed: int
    ) -> None:
        self.network, self.images, self.labels = network, images, labels
        self.recipe, self.seed = recipe, seed
        self.batches = -(-len(images) // recipe.batch_size)  # an epoch
        self.step, self.steps = 0, recipe.epochs * self.batches
        rate = recipe.learning_rate
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01, fused=True)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, rate, total_steps=self.steps)
        self.shifts = rng.stream(seed, "classifier shifts", 1)

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        """Train to the end from the last step taken or loaded; yield (images, mean cross-entropy) after every step."""
        self.network.train()
        while self.step < self.steps:
            epoch, done = self.step // self.batches + 1, self.step % self.batches
            order = torch.randperm(len(self.images), generator=rng.stream(self.seed, "classifier order", epoch))
            if not done:
                self.shifts = rng.stream(self.seed, "classifier shifts", epoch)
            for batch in order.to(self.images.device).split(self.recipe.batch_size)[done:]:
                scores = self.network(_shifted(self.images[batch], self.shifts))
                loss = F.cross_entropy(scores, self.labels[batch].long())
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.schedule.step()
                self.step += 1
                yield len(batch), loss.detach()
        self.network.eval()

    def state(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Everything that the steps to come depend on: tensors, and numbers as JSON."""
        tensors = {f"network/{name}": value for name, value in self.network.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{name}": value for name, value in values.items()}
        group = {key: value for key, value in self.optimizer.param_groups[0].items() if key != "params"}
        numbers = {"step": self.step, "group": group, "schedule": self.schedule.state_dict()}
        return tensors | {"shifts": self.shifts.get_state()}, {"numbers": json.dumps(numbers)}

    def load_state(self, tensors: dict[str, Tensor], numbers: dict[str, str]) -> None:
        """Take over what ``state`` gave: the steps to come are then the same to the byte."""
        found = json.loads(numbers["numbers"])
        self.network.load_state_dict({k.split("/", 1)[1]: v for k, v in tensors.items() if k.startswith("network/")})
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer/"):
                _, index, name = key.split("/")
                moments.setdefault(int(index), {})[name] = value
        whole = self.optimizer.state_dict()
        group = whole["param_groups"][0] | found["group"] | {"betas": tuple(found["group"]["betas"])}
        self.optimizer.load_state_dict({"state": moments, "param_groups": [group]})
        self.schedule.load_state_dict(found["schedule"])
        self.step = found["step"]
        self.shifts.set_state(tensors["shifts"])


@torch.no_grad()
def predict(network: Classifier, images: Tensor, batch_size: int = 500) -> tuple[Tensor, Tensor]:
    """Features float32 ``[N, DIMENSIONS]`` and class probabilities float32 ``[N, CLASSES]`` of uint8 images."""
    network.eval()
    features = torch.cat([network.features(batch) for batch in images.split(batch_size)])
    return features, network.head(features).softmax(1)


def load_classifier(path: Path, device: str) -> Classifier:
    """The classifier that the stage of that name wrote; StudyError when the file holds another network."""
    tensors, _ = artifacts.read_tensors(path)
    network = Classifier()
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise StudyError(f"not the classifier: {reason}", where=str(path), hint="train it again") from error
    return network.to(device).eval().requires_grad_(False)
