"""Held-out losses of networks whose loss is known."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ddpm.core import rng
from ddpm.diagnostics.heldout import covers, error_parts, loss_at, measure, simple_loss
from ddpm.diffusion import Denoiser, Schedule
from ddpm.errors import StudyError
from ddpm.schedules import make_schedule

SCHEDULE = make_schedule("linear", 100)


def images(n: int) -> Tensor:
    return torch.rand((n, 1, 28, 28), generator=rng.stream(0, "test images")) * 2 - 1


def noise(index: int, n: int = 16) -> Tensor:
    return torch.randn((n, 1, 28, 28), generator=rng.stream(0, "test noise", index))


def nothing(x_t: Tensor, _: Tensor) -> Tensor:
    """Predicts 0: its loss is the mean square of the noise, 1."""
    return torch.zeros_like(x_t)


def test_simple_loss_of_nothing_is_the_noises_own_square() -> None:
    eps = noise(0, 50)
    found = simple_loss(nothing, images(50), eps, SCHEDULE, rng.stream(0, "t"), 20)
    assert found == pytest.approx(eps.double().square().flatten(1).mean(1).numpy())


def test_simple_loss_visits_all_t_evenly_in_no_order() -> None:
    seen: list[int] = []

    def watch(x_t: Tensor, t: Tensor) -> Tensor:
        seen.extend(t.tolist())
        return torch.zeros_like(x_t)

    simple_loss(watch, images(200), noise(0, 200), SCHEDULE, rng.stream(0, "t"), 64)
    assert np.bincount(seen, minlength=101)[1:].max() <= 3
    assert seen != sorted(seen)
    assert np.corrcoef(seen, np.arange(200))[0, 1] ** 2 < 0.1


def test_loss_at_a_level_is_between_its_two_nearest_steps() -> None:
    by_t = torch.linspace(0, 1, 101)

    def wrong_by_t(x_t: Tensor, t: Tensor) -> Tensor:
        return by_t[t].sqrt().view(-1, 1, 1, 1).expand_as(x_t)

    own = SCHEDULE.log_snr.numpy()
    # on a step: that step's loss, which is 1 + t / 100 up to the noise's own mean
    at = loss_at(wrong_by_t, images(16), SCHEDULE, own[[59, 29]], noise)
    for found, t, index in zip(at, (60, 30), (0, 1), strict=True):
        expected = (noise(index).double() - float(by_t[t]) ** 0.5).square().mean()
        assert found == pytest.approx(float(expected), rel=1e-5)
    middle = loss_at(wrong_by_t, images(16), SCHEDULE, np.array([(own[29] + own[30]) / 2]), noise)[0]
    ends = [loss_at(wrong_by_t, images(16), SCHEDULE, own[[k]], noise)[0] for k in (29, 30)]
    assert middle == pytest.approx(np.mean(ends), rel=1e-6)


def test_loss_at_a_level_does_not_depend_on_the_schedule() -> None:
    """A network that knows the noise level alone: x_0 = 0 is its guess."""

    def guess(schedule: Schedule) -> Denoiser:
        root = (1 - schedule.alpha_bar).sqrt().float()
        return lambda x_t, t: x_t * root[t].view(-1, 1, 1, 1)

    levels = np.linspace(-4, 4, 9)
    found = [
        loss_at(guess(schedule), images(64), schedule, levels, lambda i: noise(i, 64))
        for schedule in (make_schedule("linear", 800), make_schedule("cosine", 800), make_schedule("sigmoid", 800))
    ]
    assert found[0] == pytest.approx(found[1], rel=2e-3)
    assert found[0] == pytest.approx(found[2], rel=2e-3)


def test_refuses_levels_that_the_schedule_never_reaches() -> None:
    with pytest.raises(StudyError, match="covers"):
        loss_at(nothing, images(2), SCHEDULE, np.array([-20.0, 0.0]), noise)


def test_measure_asks_every_network_the_same_question() -> None:
    def record(seen: list[Tensor]) -> Denoiser:
        def network(x_t: Tensor, t: Tensor) -> Tensor:
            seen.append(torch.cat([x_t.flatten(1), t.view(-1, 1)], 1))
            return torch.zeros_like(x_t)

        return network

    first: list[Tensor] = []
    second: list[Tensor] = []
    levels = np.array([-2.0, 0.0, 2.0])
    a, b = (measure(record(seen), record(seen), images(40), SCHEDULE, levels, 16, 25) for seen in (first, second))
    assert len(first) == len(second) == 2 + 2 * 3 + 2  # two batches, two steps beside each level, two batches at T
    assert {int(t) for batch in first[2:4] for t in batch[:, -1]} == {SCHEDULE.T}
    assert all(torch.equal(x, y) for x, y in zip(first, second, strict=True))
    assert np.array_equal(a.simple, b.simple)
    assert a.simple.shape == (40,)
    assert a.simple_error == pytest.approx(a.simple.std(ddof=1) / 40**0.5)
    assert a.at_levels is not None
    assert a.at_levels == pytest.approx(np.ones(3), abs=0.05)  # nothing predicted: the mean square of the noise


def test_a_level_beyond_the_schedule_leaves_the_common_loss_out() -> None:
    levels = np.array([-20.0, 0.0])
    assert not covers(SCHEDULE, levels)
    assert measure(nothing, nothing, images(4), SCHEDULE, levels, 2).at_levels is None


def test_parts_of_an_error_that_is_known() -> None:
    """An offset, blocks of 7 x 7 pixels and single pixels, of known size."""
    blocks = torch.tensor([1.0, -1.0]).repeat(8).view(1, 1, 4, 4).repeat_interleave(7, 2).repeat_interleave(7, 3)
    pixels = torch.randn((1, 1, 28, 28), generator=rng.stream(0, "pixels"))
    pixels -= torch.nn.functional.avg_pool2d(pixels, 7).repeat_interleave(7, 2).repeat_interleave(7, 3)
    pixels /= pixels.square().mean().sqrt()
    eps = noise(0)

    def wrong(x_t: Tensor, t: Tensor) -> Tensor:
        assert set(t.tolist()) == {SCHEDULE.T}
        signal, spread = (float(v.sqrt()) for v in (SCHEDULE.alpha_bar[-1], 1 - SCHEDULE.alpha_bar[-1]))
        return (x_t - signal * images(16)[: len(x_t)]) / spread - 0.01 + 0.02 * blocks + 0.03 * pixels

    found = error_parts(wrong, images(16), eps, SCHEDULE.T, SCHEDULE, batch_size=16)
    assert found.mean == pytest.approx(-0.01, abs=1e-5)
    assert found.low == pytest.approx(0.02, rel=1e-3)
    assert found.rest == pytest.approx(0.03, rel=1e-3)


def test_parts_of_an_error_add_up_whatever_the_batch() -> None:
    eps = noise(0)
    found, again = (error_parts(nothing, images(16), eps, 50, SCHEDULE, size) for size in (16, 5))
    assert found.mean**2 + found.low**2 + found.rest**2 == pytest.approx(float(eps.double().square().mean()))
    assert found == again
