"""Training of eps_theta: a loop that yields its steps, so that whoever runs it may log, draw progress or stop."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ddpm.core import rng
from ddpm.core.mnist import to_model
from ddpm.diffusion import Denoiser, Schedule, draw_t, l_simple
from ddpm.errors import StudyError
from ddpm.network.unet import UNet
from ddpm.training.graph import StepGraph
from ddpm.training.optimizers import MuonAndAdam


@dataclass(frozen=True)
class Recipe:
    """How to train: epochs over the data, images per step, the optimisers' numbers, and the decay of the EMA.

    ``learning_rate`` is Adam's, ``muon_learning_rate`` that of Muon on the convolutions between the first and the last
    (``ddpm.training.optimizers``); 0 leaves all to Adam. Both are peaks: they rise linearly over ``warmup_steps``
    steps and fall linearly to almost 0 over the last ``cooldown`` share of the training. 0 turns either off.

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

    def rate(self, step: int, steps: int) -> float:
        """The share of the peak learning rates at one step of 1..steps: warm-up, constant, cool-down to almost 0."""
        up = step / self.warmup_steps if self.warmup_steps else 1.0
        down = (steps - step + 1) / (self.cooldown * steps) if self.cooldown else 1.0
        return min(up, 1.0, down)

    def decay(self, step: int) -> float:
        """The decay of the average of the weights at one step of 1, 2, ..."""
        return min(self.ema_decay, (1 + step) / (10 + step))


@dataclass(frozen=True)
class TrainingStep:
    """One optimiser step: its epoch and number (both from 1), the images in it, and its loss (scalar on the device)."""

    epoch: int
    step: int
    images: int
    loss: Tensor


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
        graph: take the steps of full batches by ``StepGraph``, on a GPU a CUDA graph (``core.device.use_graph``).
    """

    def __init__(
        self,
        network: nn.Module,
        denoiser: Denoiser,
        images: Tensor,
        schedule: Schedule,
        recipe: Recipe,
        seed: int,
        *,
        graph: bool = False,
    ) -> None:
        self.network, self.denoiser, self.images = network, denoiser, images
        self.schedule, self.recipe, self.seed = schedule, recipe, seed
        self.graph = graph
        self.ema = copy.deepcopy(network).requires_grad_(False)
        self.optimizer = self._optimizer()
        self.batches = -(-len(images) // recipe.batch_size)  # an epoch
        self.step, self.steps = 0, recipe.epochs * self.batches
        self.noise = rng.stream(seed, "training noise", 1, device=images.device)

    def _optimizer(self) -> MuonAndAdam:
        recipe = self.recipe
        if recipe.muon_learning_rate and not isinstance(self.network, UNet):
            raise StudyError(
                "Muon is for networks of kind unet only",
                where="train.muon_learning_rate",
                hint="set it to 0 for a network of another kind",
            )
        hidden = hidden_convolutions(self.network) if recipe.muon_learning_rate else []
        known = {id(weight) for weight in hidden}
        others = [p for p in self.network.parameters() if id(p) not in known]
        rates = recipe.muon_learning_rate, recipe.learning_rate
        return MuonAndAdam(hidden, others, *rates, recipe.adam_beta_2, capturable=self.graph)

    def _average(self, decay: float | Tensor) -> None:
        average: list[Tensor] = list(self.ema.parameters())
        current: list[Tensor] = list(self.network.parameters())
        with torch.no_grad():
            if isinstance(decay, Tensor):  # lerp takes numbers alone
                change = list(torch._foreach_sub(current, average))
                torch._foreach_mul_(change, 1 - decay)
                torch._foreach_add_(average, change)
            else:
                torch._foreach_lerp_(average, current, 1 - decay)

    def update(self, batch: Tensor, share: float | Tensor, decay: float | Tensor) -> Tensor:
        """One step of the optimisers and of the average on the images of these indices; the loss, a scalar.

        Args:
            batch: int64 ``[B]``.
            share: of the peak learning rates, a number or a scalar on the device.
            decay: of the average of the weights, likewise.
        """
        x_0 = to_model(self.images[batch])
        t = draw_t(len(x_0), self.schedule.T, self.noise, x_0.device)
        eps = torch.randn(x_0.shape, generator=self.noise, device=x_0.device)
        loss = l_simple(self.denoiser, x_0, t, eps, self.schedule)
        loss.backward()
        self.optimizer.step(share)
        self._average(decay)
        return loss.detach()

    def __iter__(self) -> Iterator[TrainingStep]:
        """Train for ``recipe.epochs`` epochs, each image once an epoch, the last batch of an epoch possibly smaller.

        Resumes after the last step that was taken, or loaded.
        """
        device, size = self.images.device, self.recipe.batch_size
        graph = StepGraph(self) if self.graph else None
        while self.step < self.steps:
            epoch, done = self.step // self.batches + 1, self.step % self.batches
            order = torch.randperm(len(self.images), generator=rng.stream(self.seed, "order", epoch)).to(device)
            if not done:
                self.noise.set_state(rng.stream(self.seed, "training noise", epoch, device=device).get_state())
            if graph:
                graph.begin(order, self.step)
            for batch in order.split(size)[done:]:
                if graph and len(batch) == size:
                    loss = graph.take(self.step)
                else:
                    recipe, step = self.recipe, self.step + 1
                    loss = self.update(batch, recipe.rate(step, self.steps), recipe.decay(step))
                self.step += 1
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
