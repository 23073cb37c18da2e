"""What is compared on a GPU: training, sampling and Inception features, ours and those of reference implementations."""

from collections.abc import Callable
from typing import Any

import torch

from benchmarks import peers
from benchmarks.features import our_features, pytorch_fid, random_weights
from ddpm.core import rng
from ddpm.core.mnist import to_model
from ddpm.core.rng import GpuNoise
from ddpm.network import kinds
from ddpm.sampling import inference
from ddpm.sampling.graph import Chain
from ddpm.sampling.samplers import SAMPLERS
from ddpm.schedules import make_schedule
from ddpm.training.loop import Training
from stages.support import settings

Case = Callable[[], int]
SAMPLES = 2500  # images a chain
STEPS = 10  # of a chain


def network() -> torch.nn.Module:
    """params.yaml's network with a seed's weights, on the GPU."""
    return kinds.create(settings.load().network.model_dump(), rng.stream(0, "initial weights")).to("cuda")


def our_training(*, graph: bool) -> Training:
    """params.yaml's training, linear schedule, bfloat16."""
    return peers.our_training(graph=graph)


def _trainer(*, graph: bool) -> Case:
    steps = iter(our_training(graph=graph))
    return lambda: next(steps).images


def _peer_trainer(make: Callable[[], Any], *, bfloat16: bool) -> Case:
    net, loss = make()
    net.to("cuda")
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    batch = to_model(peers.images()[: peers.BATCH].to("cuda"))

    def step() -> int:
        with torch.autocast("cuda", torch.bfloat16, enabled=bfloat16):
            value = loss(batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return len(batch)

    return step


def training() -> dict[str, Callable[[], Case]]:
    """Training images."""
    found: dict[str, Callable[[], Case]] = {
        "ours": lambda: _trainer(graph=True),
        "ours, without a graph": lambda: _trainer(graph=False),
    }
    for name, make in (
        ("denoising-diffusion-pytorch", peers.denoising_diffusion_pytorch),
        ("diffusers", peers.diffusers_training),
    ):
        found |= {
            f"{name}, fp32": lambda make=make: _peer_trainer(make, bfloat16=False),  # type: ignore[misc]
            f"{name}, bf16": lambda make=make: _peer_trainer(make, bfloat16=True),  # type: ignore[misc]
        }
    return found


def _chain() -> Case:
    net, schedule = network().requires_grad_(False), make_schedule("linear", peers.T).to("cuda")
    eps = inference.sampling_denoiser(net, schedule, torch.bfloat16)
    noise = GpuNoise(0, "benchmark", first=0, count=SAMPLES, shape=(1, 28, 28), device="cuda")
    chain = Chain(eps, schedule, SAMPLERS["clipped"], STEPS, noise)

    def step() -> int:
        for _ in chain.run():
            pass
        return SAMPLES * STEPS

    return step


def _peer_chain(*, bfloat16: bool) -> Case:
    """The loop of diffusers' DDPMPipeline, without its pictures at the end."""
    from diffusers import DDPMScheduler

    net, scheduler = peers.diffusers_unet().eval().to("cuda"), DDPMScheduler(peers.T)

    @torch.no_grad()
    def step() -> int:
        scheduler.set_timesteps(STEPS)
        x = torch.randn(SAMPLES, 1, 28, 28, device="cuda")
        for t in scheduler.timesteps:
            with torch.autocast("cuda", torch.bfloat16, enabled=bfloat16):
                eps = net(x, t).sample
            x = scheduler.step(eps.float(), t, x).prev_sample
        return SAMPLES * STEPS

    return step


def sampling() -> dict[str, Callable[[], Case]]:
    """Image steps of sampling."""
    return {
        "ours": _chain,
        "diffusers, fp32": lambda: _peer_chain(bfloat16=False),
        "diffusers, bf16": lambda: _peer_chain(bfloat16=True),
    }


def _pytorch_fid() -> Case:
    net = pytorch_fid(random_weights(), 3).to("cuda")
    x = peers.images()[:250].float().div(255).expand(-1, 3, -1, -1)

    @torch.no_grad()
    def step() -> int:
        net(x.to("cuda"))[0].cpu()
        return len(x)

    return step


def features() -> dict[str, Callable[[], Case]]:
    """Images whose Inception features are computed."""
    return {
        "ours, default extractor": lambda: our_features("inception-nsfwjs-768", 1000, "cuda"),
        "ours, 2048-d at 299 px": lambda: our_features("inception-nsfwjs-2048", 1000, "cuda"),
        "pytorch-fid": _pytorch_fid,
    }
