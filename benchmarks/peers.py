"""Reference implementations, unmodified, and ours, each as an object that trains by the batch and samples."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measure import use_threads
from ddpm.core import rng
from ddpm.core.device import choose
from ddpm.core.mnist import to_model
from ddpm.network import kinds, unet
from ddpm.schedules import make_schedule
from ddpm.training.loop import Recipe, Training
from stages.support import data, settings

BATCH = 128
T = 200  # of every training and sampling that is timed


def images() -> Tensor:
    """MNIST's training images, uint8 ``[60000, 1, 28, 28]``, as the study's first stage leaves them."""
    return data.train_images()


def batches(seed: int = 0) -> Iterator[Tensor]:
    """Shuffled batches in [-1, 1] for ever, whole ones only."""
    data, epoch = images(), 0
    while True:
        epoch += 1
        order = torch.randperm(len(data), generator=rng.stream(seed, "benchmark order", epoch))
        for index in order.split(BATCH):
            if len(index) == BATCH:
                yield to_model(data[index])


def our_training(recipe: Recipe | None = None, timesteps: int = T, *, graph: bool = False) -> Training:
    """Network, recipe and precision of params.yaml, linear schedule."""
    params = settings.load()
    device, dtype = choose(**use_threads().model_dump())
    schedule = make_schedule("linear", timesteps).to(device)
    net = kinds.create(params.network.model_dump(), rng.stream(0, "initial weights")).to(device)
    recipe = recipe or Recipe(**params.train.model_dump(exclude={"images"}))
    return Training(net, unet.denoiser(net, schedule, dtype), images().to(device), schedule, recipe, 0, graph=graph)


def denoising_diffusion_pytorch(
    timesteps: int = T, sampling_timesteps: int = T
) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """The U-Net of lucidrains at the size that people take for MNIST, and its own loss on a batch in [-1, 1]."""
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet

    net = Unet(dim=28, dim_mults=(1, 2, 4), channels=1)
    diffusion = GaussianDiffusion(net, image_size=28, timesteps=timesteps, sampling_timesteps=sampling_timesteps)
    return diffusion, lambda x_0: diffusion((x_0 + 1) / 2)


def diffusers_unet() -> nn.Module:
    """The U-Net of Hugging Face's diffusion course, unit 1, for MNIST."""
    from diffusers import UNet2DModel

    net: nn.Module = UNet2DModel(
        sample_size=28,
        in_channels=1,
        out_channels=1,
        layers_per_block=2,
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    )
    return net


def diffusers_training(timesteps: int = T, _calls: int = T) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """That U-Net with DDPMScheduler's noise, as in the library's training example.

    It samples in any number of calls, so the second argument, which the other peer needs, decides nothing.
    """
    from diffusers import DDPMScheduler

    net, scheduler = diffusers_unet(), DDPMScheduler(timesteps)

    def loss(x_0: Tensor) -> Tensor:
        eps, t = torch.randn_like(x_0), torch.randint(0, timesteps, (len(x_0),), device=x_0.device)
        return F.mse_loss(net(scheduler.add_noise(x_0, eps, t), t).sample, eps)

    return net, loss


def trainer(net: nn.Module, loss: Callable[[Tensor], Tensor], *, bfloat16: bool) -> Callable[[], int]:
    """A plain loop around a peer: Adam at 1e-3, a batch a call."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    data = batches()

    def step() -> int:
        x_0 = next(data)
        with torch.autocast("cpu", torch.bfloat16) if bfloat16 else nullcontext():
            value = loss(x_0)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return len(x_0)

    return step
