"""Training of eps_theta: a loop that yields its steps, so that whoever runs it may log, draw progress or stop."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ddpm import rng
from ddpm.diffusion import Denoiser, Schedule, l_simple
from ddpm.mnist import to_model


@dataclass(frozen=True)
class Recipe:
    """How to train: epochs over the data, images per step, Adam's learning rate and second decay, and that of the EMA.

    ``learning_rate`` is the highest: it rises in a line over ``warmup_steps`` steps and falls in a line to almost 0
    over the last ``cooldown`` share of the training. 0 turns either off.

    ``adam_beta_2`` is below Adam's 0.999: a run of 2,345 steps is short, and older squared gradients mislead it.

    ``ema_decay`` 0 turns averaging off; during the first steps the decay is lower, (1 + n) / (10 + n), so that the
    average forgets the initial weights.
    """

    epochs: int
    batch_size: int
    learning_rate: float
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


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of one step of 1..steps: up over the warm-up, flat, down over the cool-down."""
    up = step / recipe.warmup_steps if recipe.warmup_steps else 1.0
    down = (steps - step + 1) / (recipe.cooldown * steps) if recipe.cooldown else 1.0
    return recipe.learning_rate * min(up, 1.0, down)


def draw_t(count: int, T: int, generator: torch.Generator, device: torch.device | str) -> Tensor:
    """T uniform on 1..T, int64 ``[count]``: floor(u T) + 1, so that seeds pair cells of different T.

    u is stratified, u_i in [i, i + 1) / count, which keeps its law over a shuffled batch and lowers the variance of the
    batch's loss (Kingma et al. 2021, appendix I.1).
    """
    u = (torch.arange(count, device=device) + torch.rand(count, generator=generator, device=device)) / count
    return (u * T).long().clamp_(max=T - 1).add_(1)


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
        betas = (0.9, recipe.adam_beta_2)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, betas=betas, fused=True)
        self.step = 0
        self.steps = recipe.epochs * -(-len(images) // recipe.batch_size)

    def _average(self) -> None:
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        average = get_ema_multi_avg_fn(decay)
        average(list(self.ema.parameters()), list(self.network.parameters()), self.step)

    def _train_on(self, x_0: Tensor, noise: torch.Generator) -> Tensor:
        t = draw_t(len(x_0), self.schedule.T, noise, x_0.device)
        eps = torch.randn(x_0.shape, generator=noise, device=x_0.device)
        loss = l_simple(self.denoiser, x_0, t, eps, self.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe, self.step + 1, self.steps)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def __iter__(self) -> Iterator[TrainingStep]:
        """Train for ``recipe.epochs`` epochs, each image once an epoch, the last batch of an epoch possibly smaller."""
        device = self.images.device
        for epoch in range(1, self.recipe.epochs + 1):
            order = torch.randperm(len(self.images), generator=rng.stream(self.seed, "order", epoch))
            noise = rng.stream(self.seed, "training noise", epoch, device=device)
            for batch in order.to(device).split(self.recipe.batch_size):
                loss = self._train_on(to_model(self.images[batch]), noise)
                self.step += 1
                self._average()
                yield TrainingStep(epoch, self.step, len(batch), loss)
