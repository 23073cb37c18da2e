"""Worker: image steps a second of the sampling loop; one call is a whole chain of few steps over one batch."""

from collections.abc import Callable

import torch

from benchmarks import peers
from benchmarks.measure import use_threads
from benchmarks.worker import serve
from ddpm.core import rng
from ddpm.core.device import choose
from ddpm.network import kinds
from ddpm.sampling import inference
from ddpm.sampling.samplers import SAMPLERS, reverse
from ddpm.schedules import make_schedule
from stages.support import settings

IMAGES = 100
STEPS = 5


def _network() -> torch.nn.Module:
    net = kinds.create(settings.load().network.model_dump(), rng.stream(0, "initial weights"))
    return net.eval().requires_grad_(False)


def _ours() -> Callable[[], int]:
    device, dtype = choose(**use_threads().model_dump())
    schedule = make_schedule("linear", peers.T).to(device)
    denoiser = inference.sampling_denoiser(_network().to(device), schedule, dtype)
    sampler = SAMPLERS["clipped"]  # as DDPMScheduler does by default

    def noise(k: int) -> torch.Tensor:
        return rng.image_noise(0, "benchmark", k, first=0, count=IMAGES, shape=(1, 28, 28))

    def step() -> int:
        for _ in reverse(denoiser, schedule, sampler, STEPS, noise):
            pass
        return IMAGES * STEPS

    return step


def _pipeline(unet: torch.nn.Module) -> Callable[[], int]:
    from diffusers import DDPMPipeline, DDPMScheduler

    pipeline = DDPMPipeline(unet, DDPMScheduler(peers.T))
    pipeline.set_progress_bar_config(disable=True)

    def step() -> int:
        pipeline(batch_size=IMAGES, num_inference_steps=STEPS, output_type="np")
        return IMAGES * STEPS

    return step


def _our_network_for_diffusers() -> torch.nn.Module:
    """Our network behind the interface that the pipeline expects of a U-Net."""
    from diffusers import ConfigMixin, ModelMixin
    from diffusers.configuration_utils import register_to_config
    from diffusers.models.unets.unet_2d import UNet2DOutput

    class Wrapped(ModelMixin, ConfigMixin):  # type: ignore[misc]  # no type information is published
        @register_to_config  # type: ignore[untyped-decorator]
        def __init__(self, sample_size: int = 28, in_channels: int = 1) -> None:  # noqa: ARG002  # read by the pipeline
            super().__init__()
            self.net = _network()

        def forward(self, x: torch.Tensor, t: torch.Tensor) -> UNet2DOutput:
            return UNet2DOutput(sample=self.net(x, (t + 1).expand(len(x))))

    wrapped: torch.nn.Module = Wrapped()
    return wrapped


CASES = {
    "ours": _ours,
    "diffusers, our network": lambda: _pipeline(_our_network_for_diffusers()),
    "diffusers, its network": lambda: _pipeline(peers.diffusers_unet().eval()),
}

if __name__ == "__main__":
    serve(CASES)
