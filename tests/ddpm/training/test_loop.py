"""The training loop: what it visits, what it learns, and what decides its bytes."""

import dataclasses

import pytest
import torch

from ddpm.core import rng
from ddpm.diffusion import draw_t
from ddpm.network import unet
from ddpm.schedules import make_schedule
from ddpm.training.loop import Recipe, Training, TrainingStep, hidden_convolutions
from tests.ddpm.architectures import TINY

IMAGES = torch.randint(0, 256, (70, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def start(
    T: int = 50, seed: int = 0, epochs: int = 2, ema_decay: float = 0.9, batch_size: int = 32, muon: float = 0.02
) -> Training:
    net = unet.build(TINY, "cpu")
    unet.initialise(net, rng.stream(seed, "test"))
    recipe = Recipe(epochs, batch_size, 1e-3, muon, warmup_steps=0, cooldown=0.0, adam_beta_2=0.99, ema_decay=ema_decay)
    return Training(net, net, IMAGES, make_schedule("linear", T), recipe, seed)


def weights(training: Training) -> list[torch.Tensor]:
    return [p.detach().clone() for p in training.network.parameters()]


def test_steps_cover_every_epoch_once() -> None:
    steps = list(start())
    assert [(s.epoch, s.step, s.images) for s in steps] == [
        (1, 1, 32), (1, 2, 32), (1, 3, 6), (2, 4, 32), (2, 5, 32), (2, 6, 6),
    ]  # fmt: skip
    assert all(torch.isfinite(s.loss) for s in steps)


def test_every_image_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []

    def spy(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return images.float() / 127.5 - 1

    monkeypatch.setattr("ddpm.training.loop.to_model", spy)
    list(start(epochs=1))
    found = torch.cat(seen).flatten(1).double().sum(1).sort().values
    assert torch.equal(found, IMAGES.flatten(1).double().sum(1).sort().values)


def test_same_seed_same_bytes() -> None:
    def run(seed: int) -> list[torch.Tensor]:
        training = start(seed=seed)
        list(training)
        return weights(training)

    assert all(torch.equal(a, b) for a, b in zip(run(0), run(0), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(run(0), run(1), strict=True))


def test_seeds_pair_cells_of_different_T(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same data order, same eps, and t at the same fraction of T."""

    def record(T: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        calls: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []

        def spy(net, x_0, t, eps, schedule):  # type: ignore[no-untyped-def]
            calls.append((x_0, t, eps))
            return net(x_0, t).square().mean()

        monkeypatch.setattr("ddpm.training.loop.l_simple", spy)
        list(start(T=T, epochs=1))
        return calls

    for (x_a, t_a, eps_a), (x_b, t_b, eps_b) in zip(record(50), record(800), strict=True):
        assert torch.equal(x_a, x_b)
        assert torch.equal(eps_a, eps_b)
        assert float((t_a / 50 - t_b / 800).abs().max()) <= 1 / 50


def test_loss_falls() -> None:
    steps: list[TrainingStep] = list(start(epochs=60, batch_size=70))
    losses = [float(s.loss) for s in steps]
    assert losses[0] == pytest.approx(1, abs=0.05)  # a new network predicts 0, and eps has variance 1
    assert sum(losses[-5:]) / 5 < 0.9


def test_ema_is_the_average_it_claims() -> None:
    training = start(ema_decay=0.9)
    expected = weights(training)
    for step in training:
        decay = min(0.9, (1 + step.step) / (10 + step.step))
        expected = [decay * e + (1 - decay) * w for e, w in zip(expected, weights(training), strict=True)]
    for e, found in zip(expected, training.ema.parameters(), strict=True):
        torch.testing.assert_close(found.detach(), e)


def test_ema_off_is_the_network_itself() -> None:
    training = start(ema_decay=0.0)
    list(training)
    for a, b in zip(training.network.parameters(), training.ema.parameters(), strict=True):
        assert torch.equal(a, b)


def test_learning_rate_goes_up_stays_and_comes_down() -> None:
    recipe = Recipe(1, 1, 2.0, 0.0, warmup_steps=4, cooldown=0.5, adam_beta_2=0.99, ema_decay=0.0)
    rates = [2 * recipe.rate(step, 10) for step in range(1, 11)]
    assert rates == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 1.6, 1.2, 0.8, 0.4])
    flat = dataclasses.replace(recipe, warmup_steps=0, cooldown=0.0)
    assert {flat.rate(step, 10) for step in range(1, 11)} == {1.0}


def test_training_follows_the_learning_rate() -> None:
    training = start(epochs=2)
    training.recipe = dataclasses.replace(training.recipe, warmup_steps=3, cooldown=0.5)
    adam, muon = training.optimizer.optimizers
    seen = [(adam.param_groups[0]["lr"], muon.param_groups[0]["lr"]) for _ in training]
    shares = [training.recipe.rate(step, 6) for step in range(1, 7)]
    assert seen == [(share * 1e-3, share * 0.02) for share in shares]


def test_every_parameter_has_one_optimizer() -> None:
    training = start()
    hidden = hidden_convolutions(training.network)
    ends = {training.network.get_parameter(f"{end}.weight").data_ptr() for end in ("stem", "head")}
    assert not ends & {weight.data_ptr() for weight in hidden}
    adam, muon = (o.param_groups[0]["params"] for o in training.optimizer.optimizers)
    owned = {p.data_ptr() for p in (*adam, *muon)}
    assert owned == {p.data_ptr() for p in training.network.parameters()}
    assert len(adam) + len(muon) == len(owned)
    assert len(start(muon=0.0).optimizer.optimizers) == 1


@pytest.mark.parametrize("muon", [0.0, 0.02])
@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5])
def test_going_on_from_a_saved_state_is_the_same_training(stop: int, muon: float) -> None:
    """At every step, in the middle of an epoch and at its end: weights, averages and losses to the byte."""
    whole = start(muon=muon)
    losses = [float(step.loss) for step in whole]
    cut = start(muon=muon)
    seen = []
    for step in cut:
        seen.append(float(step.loss))
        if step.step == stop:
            break
    state = {name: tensor.clone() for name, tensor in cut.state().items()}
    other = start(seed=7, muon=muon)  # nothing but the state may matter
    other.seed = 0
    other.load_state(state)
    seen += [float(step.loss) for step in other]
    assert seen == losses
    for a, b in zip([*whole.network.parameters(), *whole.ema.parameters()],
                    [*other.network.parameters(), *other.ema.parameters()], strict=True):  # fmt: skip
        assert torch.equal(a, b)


def test_a_state_of_another_network_is_refused() -> None:
    state = start().state()
    with pytest.raises((KeyError, RuntimeError)):
        start().load_state({name: tensor for name, tensor in state.items() if "stem" not in name})


@pytest.mark.parametrize("T", [1, 2, 50, 1000])
def test_t_is_uniform_on_1_to_T(T: int) -> None:
    n = 100_000
    t = draw_t(n, T, torch.Generator().manual_seed(0), "cpu")
    assert t.dtype == torch.int64
    assert int(t.min()) >= 1
    assert int(t.max()) <= T
    counts = torch.bincount(t, minlength=T + 1)[1:].double()
    # stratified: a value can miss or gain an image at either end of its stretch, never more
    assert float((counts - n / T).abs().max()) <= 2


def test_t_of_any_one_image_is_uniform() -> None:
    # the law of a single u over many batches, its place in the batch drawn at random as shuffled images' is
    generator = torch.Generator().manual_seed(0)
    t = torch.cat([draw_t(8, 10, generator, "cpu")[torch.randint(8, (1,), generator=generator)] for _ in range(20_000)])
    counts = torch.bincount(t, minlength=11)[1:].double()
    chi = float(((counts - 2000) ** 2 / 2000).sum())
    assert chi < 9 + 5 * 18**0.5
