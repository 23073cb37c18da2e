"""Samplers: which steps a chain takes, the numbers of a step, and where a chain can go on."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ddpm.diffusion import posterior_coefficients
from ddpm.errors import StudyError
from ddpm.sampling.samplers import SAMPLERS, get_sampler, plan, reverse, step_coefficients, timesteps
from ddpm.schedules import make_schedule
from tests.ddpm.sampling.chains import last, noise, sine_network


@given(T=st.integers(1, 3000), data=st.data())
def test_timesteps_descend_from_T(T: int, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, T))
    found = timesteps(T, steps)
    assert found[0] == T
    assert len(set(found)) == steps
    assert found == sorted(found, reverse=True)
    assert found[-1] >= 1
    gaps = {a - b for a, b in zip(found, [*found[1:], 0], strict=True)}
    assert max(gaps) - min(gaps) <= 1


def test_all_steps_are_all_t() -> None:
    assert timesteps(50, 50) == list(range(50, 0, -1))


@pytest.mark.parametrize("steps", [0, 51, -1])
def test_too_many_steps(steps: int) -> None:
    with pytest.raises(StudyError, match="from T = 50"):
        timesteps(50, steps)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("euler", "choose one of ancestral, clipped, ddim"),
        ("cliped", "did you mean clipped"),
        ("clipped-x", "unknown sampler 'clipped-x'"),
        ("ddim-51", "cannot take 51 sampling steps from T = 50"),
        ("ddim-0", "cannot take 0"),
        ("late-start-1", "leaves none of 1 steps; choose more than 1"),
    ],
)
def test_unknown_sampler(name: str, says: str) -> None:
    with pytest.raises(StudyError, match=says):
        get_sampler(name, 50)


def test_sampler_by_name() -> None:
    assert get_sampler("clipped", 50) == (SAMPLERS["clipped"], 50)
    assert get_sampler("ddim-10", 50) == (SAMPLERS["ddim"], 10)
    assert get_sampler("clipped-first", 50) == (SAMPLERS["clipped-first"], 50)
    assert get_sampler("clipped-first-10", 50) == (SAMPLERS["clipped-first"], 10)


@pytest.mark.parametrize(
    ("name", "clips", "visited"),
    [
        ("ancestral", [False] * 5, [5, 4, 3, 2, 1]),
        ("clipped", [True] * 5, [5, 4, 3, 2, 1]),
        ("clipped-first", [True] + [False] * 4, [5, 4, 3, 2, 1]),
        ("clipped-rest", [False] + [True] * 4, [5, 4, 3, 2, 1]),
        ("late-start", [False] * 4, [4, 3, 2, 1]),
    ],
)
def test_where_a_sampler_clips_and_begins(name: str, clips: list[bool], visited: list[int]) -> None:
    steps = plan(make_schedule("cosine", 5), *get_sampler(name, 5))
    assert [step.clip for step in steps] == clips
    assert [step.t for step in steps] == visited
    assert steps[-1].s == 0


def test_the_first_step_apart_is_the_rest_of_the_chain_as_it_was() -> None:
    """Samplers that differ in the first step alone: from equal images after it they go on equally."""
    schedule, draw = make_schedule("cosine", 20), noise(2, 1, 28, 28)
    chains = {name: list(reverse(sine_network, schedule, SAMPLERS[name], 20, draw)) for name in SAMPLERS}
    assert torch.equal(chains["clipped-first"][0][1], chains["clipped"][0][1])
    assert torch.equal(chains["clipped-rest"][0][1], chains["ancestral"][0][1])
    after = (1, chains["clipped"][0][1])
    plain = last(reverse(sine_network, schedule, SAMPLERS["ancestral"], 20, draw, after))
    assert torch.equal(chains["clipped-first"][-1][1], plain)
    late = list(reverse(sine_network, schedule, SAMPLERS["late-start"], 20, draw))
    assert [s for s, _ in late] == [*range(18, -1, -1)]
    first = step_coefficients(schedule, 19, 18, clip=False)
    begun = first.c_t * draw(0) + first.c_hat * sine_network(draw(0), torch.tensor([19])) + first.sigma * draw(1)
    torch.testing.assert_close(late[0][1], begun)


@pytest.mark.parametrize(("schedule", "amplified"), [("linear", []), ("sigmoid", []), ("cosine", [50, 49])])
def test_steps_that_amplify_take_the_exact_network(schedule: str, amplified: list[int]) -> None:
    table, seen = make_schedule(schedule, 50), []

    def exact(x: Tensor, t: Tensor) -> Tensor:
        seen.append(int(t[0]))
        return sine_network(x, t)

    draw = noise(2, 1, 28, 28)
    x = last(reverse(sine_network, table, SAMPLERS["ancestral"], 50, draw, exact=exact))
    assert seen == amplified
    assert torch.equal(x, last(reverse(sine_network, table, SAMPLERS["ancestral"], 50, draw)))
    assert all(
        step.gain == pytest.approx(float(table.alpha[step.t]) ** -0.5) for step in plan(table, SAMPLERS["ddim"], 50)
    )


@pytest.mark.parametrize("t", [1, 2, 25, 50])
@pytest.mark.parametrize("name", ["ancestral", "clipped"])
def test_full_chain_step_is_the_posterior(name: str, t: int) -> None:
    # with the true x_0 and eps, both forms of the mean are eq. (7) of Ho et al. 2020
    schedule = make_schedule("cosine", 50)
    generator = torch.Generator().manual_seed(t)
    x_0, eps = torch.rand(6, 3, generator=generator).double() * 2 - 1, torch.randn(6, 3, generator=generator).double()
    bar = schedule.alpha_bar[t]
    x_t = bar.sqrt() * x_0 + (1 - bar).sqrt() * eps
    c_0, c_t, variance = posterior_coefficients(bar, schedule.alpha_bar[t - 1])
    step = step_coefficients(schedule, t, t - 1, clip=name == "clipped")
    torch.testing.assert_close(step.c_t * x_t + step.c_hat * (x_0 if step.clip else eps), c_0 * x_0 + c_t * x_t)
    assert step.sigma**2 == pytest.approx(float(variance), abs=1e-15)


def test_respacing_a_chain_changes_only_where_it_stops() -> None:
    schedule = make_schedule("linear", 100)
    visited = [t for t, _ in reverse(sine_network, schedule, SAMPLERS["clipped"], 20, noise(2, 1, 28, 28))]
    assert visited == [*timesteps(100, 20)[1:], 0]


def test_clipped_x_0_stays_in_range() -> None:
    loud = lambda x, t: 50 * torch.ones_like(x)  # noqa: E731
    schedule = make_schedule("linear", 50)
    x = last(reverse(loud, schedule, SAMPLERS["clipped"], 50, noise(2, 1, 28, 28)))
    assert float(x.abs().max()) <= 1
    assert float(last(reverse(loud, schedule, SAMPLERS["ancestral"], 50, noise(2, 1, 28, 28))).abs().max()) > 1


def test_cosine_without_clip_multiplies_the_error_by_a_hundred() -> None:
    # the leading hypothesis of the study, in one step
    schedule = make_schedule("cosine", 50)
    step = step_coefficients(schedule, 50, 49, clip=False)
    assert step.c_t == pytest.approx(100, rel=1e-3)
    assert -step.c_hat == pytest.approx(100, rel=1e-3)


def test_no_step_begins_where_nothing_is_left() -> None:
    schedule = make_schedule("linear", 50, zero_terminal_snr=True)
    with pytest.raises(StudyError, match="alpha_bar is 0 at t = 50"):
        step_coefficients(schedule, 50, 49, clip=True)
    called: list[int] = []

    def spy(x: Tensor, t: Tensor) -> Tensor:
        called.append(int(t[0]))
        return sine_network(x, t)

    x_0 = last(reverse(spy, schedule, SAMPLERS["ancestral"], 50, noise(2, 1, 28, 28)))
    assert called == list(range(49, 0, -1))
    assert bool(torch.isfinite(x_0).all())


@pytest.mark.parametrize("stop", [1, 7, 19])
def test_going_on_from_a_step_is_the_same_chain(stop: int) -> None:
    schedule, draw = make_schedule("linear", 50), noise(2, 1, 28, 28)
    whole = list(reverse(sine_network, schedule, SAMPLERS["ancestral"], 20, draw))
    rest = list(reverse(sine_network, schedule, SAMPLERS["ancestral"], 20, draw, (stop, whole[stop - 1][1])))
    assert [s for s, _ in rest] == [s for s, _ in whole[stop:]]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(rest, whole[stop:], strict=True))
