"""Training of eps_theta: a loop that yields its steps, so that whoever runs it may log, draw progress or stop."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ddpm.core import rng
from ddpm.core.mnist import to_model
from ddpm.diffusion import Denoiser, Schedule, draw_t, l_simple
from ddpm.training.optimizers import MuonAndAdam


@dataclass(frozen=True)
class Recipe:
    """How to train: epochs over the data, images per step, the optimisers' numbers, and the decay of the EMA.

    ``learning_rate`` is Adam's, ``muon_learning_rate`` that of Muon on the convolutions between the first and the last
    (``ddpm.training.optimizers``); 0 leaves all to Adam. Both are the highest: they rise in a line over
    ``warmup_steps`` steps and fall in a line to almost 0 over the last ``cooldown`` share of the training. 0 turns
    either off.

    ``adam_beta_2`` is below Adam's 0.999: a run of 2,345 steps is short, and older squared gradients mislead it.

    ``ema_decay`` 0 turns averaging off; during the first steps the decay is lower, (1 + n) / (10 + n), so that the
    average forgets the initial weights.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    muon_learning_rate: float
    warmup_steps: int
    cooldown: float
    adam_beta_2: float
    ema_decay: float


@dataclass(frozen=True)
class TrainingStep:
    """One optimiser step: its epoch and number (both from 1), the images in it, and its loss (scalar on the device)."""

    epoch: int
    step: int
    images: int
    loss: Tensor


def rate(recipe: Recipe, step: int, steps: int) -> float:
    """The share of the highest learning rates at one step of 1..steps: up over the warm-up, flat, down to almost 0."""
    up = step / recipe.warmup_steps if recipe.warmup_steps else 1.0
    down = (steps - step + 1) / (recipe.cooldown * steps) if recipe.cooldown else 1.0
    return min(up, 1.0, down)


def hidden_convolutions(network: nn.Module) -> list[nn.Parameter]:
    """Weights of all convolutions except the first and the last, in the network's order."""
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return [module.get_parameter("weight") for module in convolutions[1:-1]]


class Training:
    """The state of one training and its loop.

    Data order, t and eps come from generators named by the seed and the epoch alone: two cells with one seed see the
    same images with the same noise in the same order, whatever their schedule and T.

    Args:
        network: eps_theta, trained in place.
        denoiser: how to call it, for example under autocast; the network itself when nothing special.
        images: uint8 ``[N, 1, 28, 28]``, on the network's device.
        schedule: on the network's device.
        recipe: how to train.
        seed: names the random streams.
    """

    def __init__(
        self, network: nn.Module, denoiser: Denoiser, images: Tensor, schedule: Schedule, recipe: Recipe, seed: int
    ) -> None:
        self.network, self.denoiser, self.images = network, denoiser, images
        self.schedule, self.recipe, self.seed = schedule, recipe, seed
        self.ema = copy.deepcopy(network).requires_grad_(False)
        self.optimizer = self._optimizer()
        self.batches = -(-len(images) // recipe.batch_size)  # an epoch
        self.step, self.steps = 0, recipe.epochs * self.batches
        self.noise = rng.stream(seed, "training noise", 1, device=images.device)

    def _optimizer(self) -> MuonAndAdam:
        recipe = self.recipe
        hidden = hidden_convolutions(self.network) if recipe.muon_learning_rate else []
        known = {id(weight) for weight in hidden}
        others = [p for p in self.network.parameters() if id(p) not in known]
        return MuonAndAdam(hidden, others, recipe.muon_learning_rate, recipe.learning_rate, recipe.adam_beta_2)

    def _average(self) -> None:
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        average = get_ema_multi_avg_fn(decay)
        average(list(self.ema.parameters()), list(self.network.parameters()), self.step)

    def _train_on(self, x_0: Tensor) -> Tensor:
        t = draw_t(len(x_0), self.schedule.T, self.noise, x_0.device)
        eps = torch.randn(x_0.shape, generator=self.noise, device=x_0.device)
        loss = l_simple(self.denoiser, x_0, t, eps, self.schedule)
        loss.backward()
        self.optimizer.step(rate(self.recipe, self.step + 1, self.steps))
        return loss.detach()

    def __iter__(self) -> Iterator[TrainingStep]:
        """Train for ``recipe.epochs`` epochs, each image once an epoch, the last batch of an epoch possibly smaller.

        Goes on from the last step that was taken, or loaded.
        """
        device = self.images.device
        while self.step < self.steps:
            epoch, done = self.step // self.batches + 1, self.step % self.batches
            order = torch.randperm(len(self.images), generator=rng.stream(self.seed, "order", epoch))
            if not done:
                self.noise = rng.stream(self.seed, "training noise", epoch, device=device)
            for batch in order.to(device).split(self.recipe.batch_size)[done:]:
                loss = self._train_on(to_model(self.images[batch]))
                self.step += 1
                self._average()
                yield TrainingStep(epoch, self.step, len(batch), loss)

    def state(self) -> dict[str, Tensor]:
        """Everything that the steps to come depend on; not copied, so it must be saved before the next step."""
        parts = {
            "network": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state(),
        }
        state = {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}
        return state | {"step": torch.tensor(self.step), "noise": self.noise.get_state()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take over what ``state`` gave: the steps to come are then the same to the byte.

        Raises:
            KeyError, RuntimeError: it is the state of another training.
        """

        def part(name: str) -> dict[str, Tensor]:
            return {key.split("/", 1)[1]: value for key, value in state.items() if key.startswith(f"{name}/")}

        self.network.load_state_dict(part("network"))
        self.ema.load_state_dict(part("ema"))
        self.optimizer.load_state(part("optimizer"))
        self.step = int(state["step"])
        self.noise.set_state(state["noise"])
