"""The captured reverse process: the chain of `reverse`, whatever was replayed before."""

from itertools import islice

import pytest
import torch

from ddpm.core import rng
from ddpm.diffusion import Denoiser, Schedule
from ddpm.network import unet
from ddpm.sampling import inference
from ddpm.sampling.graph import Chain, sample_chain
from ddpm.sampling.samplers import SAMPLERS, reverse
from ddpm.schedules import make_schedule
from tests.ddpm.architectures import MIXED
from tests.ddpm.seeking import let_the_cpu_seek

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]
SHAPE = (1, 28, 28)


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a test runs; a CPU's generators seek there as a GPU's do."""
    if request.param == "cpu":
        let_the_cpu_seek(monkeypatch)
    return str(request.param)


def noise(device: str, count: int = 6) -> rng.GpuNoise:
    return rng.GpuNoise(0, "test", first=0, count=count, shape=SHAPE, device=device)


def denoiser(device: str, schedule: Schedule, dtype: torch.dtype = torch.float32) -> Denoiser:
    net = unet.build(MIXED, "cpu")
    unet.initialise(net, rng.stream(0, "test"))
    generator = rng.stream(0, "head")
    torch.nn.init.normal_(net.head.weight, std=0.1, generator=generator)  # a new network's is 0
    return inference.sampling_denoiser(net.to(device), schedule.to(device), dtype)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 7, 20])
def test_same_steps_as_the_eager_chain(device: str, sampler: str, steps: int) -> None:
    """Each from the same images: rounding differs, and a chain magnifies it, cosine's first step 100 times."""
    schedule = make_schedule("linear", 20).to(device)
    eps, chosen, draws = denoiser(device, schedule), SAMPLERS[sampler], noise(device)
    if steps <= chosen.left_out:
        pytest.skip("no step is left")
    expected = [(s, x.clone()) for s, x in reverse(eps, schedule, chosen, steps, draws)]
    chain = Chain(eps, schedule, chosen, steps, draws)
    assert [s for s, _ in chain.run()] == [s for s, _ in expected]
    x = draws(0)
    for taken, (s, after) in enumerate(expected):
        assert s == chain.plan[taken].s
        found = next(chain.run((taken, x)))[1]
        torch.testing.assert_close(found, after, rtol=1e-4, atol=2e-4)
        x = after


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_chain_repeated_or_resumed_gives_the_same_bytes(device: str, dtype: torch.dtype) -> None:
    schedule = make_schedule("linear", 20).to(device)
    chain = Chain(denoiser(device, schedule, dtype), schedule, SAMPLERS["ancestral"], 20, noise(device))
    first = [x.clone() for _, x in chain.run()]
    again = [x.clone() for _, x in chain.run()]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    ((_, cut),) = islice(chain.run(), 8, 9)
    resumed = [x.clone() for _, x in chain.run((9, cut.clone()))]
    assert torch.equal(resumed[-1], first[-1])
    assert len(resumed) == 11


def test_a_seeds_chain_begins_with_its_noise_and_goes_on_from_any_step() -> None:
    schedule = make_schedule("linear", 20)

    def chain(taken: tuple[int, torch.Tensor] | None = None, count: int = 4) -> list[tuple[int, torch.Tensor]]:
        eps, ancestral = denoiser("cpu", schedule), SAMPLERS["ancestral"]
        steps = sample_chain(eps, schedule, ancestral, 20, 5, 3, count, "cpu", graph=False, taken=taken)
        return [(s, x.clone()) for s, x in steps]

    whole = chain()
    assert [s for s, _ in whole] == list(range(20, -1, -1))
    assert torch.equal(whole[0][1], rng.image_noise(5, "sampling noise", 0, first=3, count=4, shape=SHAPE))
    rest = chain((8, whole[8][1].clone()))
    assert [s for s, _ in rest] == [s for s, _ in whole[9:]]
    assert torch.equal(rest[-1][1], whole[-1][1])
    torch.testing.assert_close(chain(count=2)[-1][1], whole[-1][1][:2], rtol=1e-4, atol=1e-4)  # rounding by batch


@pytest.mark.cuda
def test_the_noise_of_an_image_depends_on_the_image_and_the_step_alone() -> None:
    def draw(first: int, count: int) -> rng.GpuNoise:
        return rng.GpuNoise(0, "test", first=first, count=count, shape=SHAPE, device="cuda")

    whole = draw(0, 3000)
    steps = [whole(k) for k in range(3)]
    assert torch.equal(whole(1), steps[1])  # out of order
    assert torch.equal(draw(1000, 100)(2), steps[2][1000:1100])
    assert torch.equal(draw(2990, 10)(1), steps[1][2990:])
    assert not torch.equal(steps[0], steps[1])
    assert not torch.equal(steps[0][:1000], steps[0][1024:2024])
    every = torch.stack(steps).double()
    assert abs(float(every.mean())) < 5 / every.numel() ** 0.5
    assert float(every.var()) == pytest.approx(1, abs=5 * (2 / every.numel()) ** 0.5)


@pytest.mark.cuda
def test_a_step_waits_for_nothing() -> None:
    schedule = make_schedule("linear", 20).to("cuda")
    chain = Chain(denoiser("cuda", schedule), schedule, SAMPLERS["clipped"], 20, noise("cuda"))
    steps = chain.run()
    next(steps)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        next(steps)
    finally:
        torch.cuda.set_sync_debug_mode("default")
