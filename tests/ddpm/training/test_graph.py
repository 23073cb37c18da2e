"""The captured training step: the same training as the eager one, the same bytes whenever it is repeated or resumed."""

import dataclasses

import pytest
import torch
from torch import Tensor

from ddpm.core import rng
from ddpm.network import unet
from ddpm.schedules import make_schedule
from ddpm.training.loop import Recipe, Training
from tests.ddpm.architectures import MIXED

EPSILON = dataclasses.replace(MIXED, prediction="epsilon")

IMAGES = torch.randint(0, 256, (150, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
PRECISIONS = [torch.float32, torch.bfloat16]


def start(device: str, *, graph: bool, dtype: torch.dtype = torch.float32, muon: float = 0.02) -> Training:
    net = unet.build(EPSILON, "cpu")
    unet.initialise(net, rng.stream(0, "test"))
    net = net.to(device)
    schedule = make_schedule("linear", 50).to(device)
    recipe = Recipe(3, 32, 1e-3, muon, warmup_steps=4, cooldown=0.5, adam_beta_2=0.99, ema_decay=0.9)
    denoiser = unet.denoiser(net, schedule, dtype)
    return Training(net, denoiser, IMAGES.to(device), schedule, recipe, 0, graph=graph)


def losses(training: Training, until: int = 15) -> Tensor:
    found = []
    for step in training:
        found.append(step.loss.clone())
        if step.step == until:
            break
    return torch.stack(found).cpu()


def weights(training: Training) -> Tensor:
    return torch.cat([p.detach().flatten() for net in (training.network, training.ema) for p in net.parameters()]).cpu()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
@pytest.mark.parametrize("muon", [0.0, 0.02])
def test_same_losses_and_weights_as_eager_steps(device: str, dtype: torch.dtype, muon: float) -> None:
    """Three epochs, each ending in a shorter batch: the data, the noise and the learning rates are the same."""
    eager, captured = (start(device, graph=graph, dtype=dtype, muon=muon) for graph in (False, True))
    tolerance = 1e-4 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(losses(captured), losses(eager), rtol=tolerance, atol=tolerance)
    assert captured.step == eager.step == 15
    distance = (weights(captured) - weights(eager)).norm() / weights(eager).norm()
    assert distance < (1e-4 if dtype == torch.float32 else 5e-2)


@pytest.mark.parametrize("device", DEVICES)
def test_two_trainings_are_equal_to_the_byte(device: str) -> None:
    first, second = (start(device, graph=True, dtype=torch.bfloat16) for _ in range(2))
    assert torch.equal(losses(first), losses(second))
    assert torch.equal(weights(first), weights(second))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("steps", [1, 4, 5, 7])  # within an epoch, before its shorter batch, after it
def test_a_resumed_training_ends_in_the_same_bytes(device: str, steps: int) -> None:
    whole, cut, resumed = (start(device, graph=True, dtype=torch.bfloat16) for _ in range(3))
    expected = losses(whole)
    losses(cut, until=steps)
    resumed.load_state({name: value.cpu().clone() for name, value in cut.state().items()})
    assert torch.equal(losses(resumed), expected[steps:])
    assert torch.equal(weights(resumed), weights(whole))


@pytest.mark.cuda
def test_a_step_waits_for_nothing() -> None:
    """After its capture a step is one replay, without synchronisation."""
    training = start("cuda", graph=True)
    steps = iter(training)
    next(steps)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        next(steps)
        next(steps)
    finally:
        torch.cuda.set_sync_debug_mode("default")
