"""The reverse process with one step as a CUDA graph, replayed for all steps.

Launched one by one, the kernels of a step take longer to start than to run. The coefficients of all steps lie in a
table on the device, at a position which the step itself advances, so a replay needs nothing from the host.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from ddpm.core.mnist import SIDE
from ddpm.core.rng import GpuNoise, image_noise
from ddpm.diffusion import Denoiser, Schedule, x_0_from_epsilon
from ddpm.sampling.samplers import Sampler, plan, reverse

_WARM_UP = 2  # steps before a capture, in which libraries choose their kernels and allocate their workspaces


class Chain:
    """The reverse process of one batch of images. Without a GPU the same step runs eagerly.

    Args:
        network: eps_theta, one that can be captured (``core.device.use_graph``).
        schedule, sampler, steps: as for ``sampling.reverse``.
        noise: x_T and the noise of every step.
        exact: as for ``sampling.reverse``: its few steps run eagerly.
    """

    def __init__(
        self,
        network: Denoiser,
        schedule: Schedule,
        sampler: Sampler,
        steps: int,
        noise: GpuNoise,
        exact: Denoiser | None = None,
    ) -> None:
        self.network, self.sampler, self.noise = network, sampler, noise
        self.exact = network if exact is None else exact
        self.plan = plan(schedule, sampler, steps)
        self.clips = {step.clip for step in self.plan}
        self.x = noise(0)
        device = self.x.device
        self.t = torch.tensor([step.t for step in self.plan], device=device)
        numbers = [(step.c_t, step.c_hat, step.sigma, step.signal, step.noise, step.clip) for step in self.plan]
        self.numbers = torch.tensor(numbers, dtype=torch.float32, device=device)
        self.position = torch.zeros(1, dtype=torch.int64, device=device)  # steps taken
        self.graph = self._capture() if device.type == "cuda" else None

    @torch.no_grad()
    def _step(self, network: Denoiser) -> None:
        """What the graph holds: ``sampling.reverse``'s step, its numbers read from the table."""
        here = self.position
        c_t, c_hat, sigma, signal, noise, clip = self.numbers.index_select(0, here).squeeze(0).unbind()
        hat = network(self.x, self.t.index_select(0, here)).float()
        if True in self.clips:
            clipped = x_0_from_epsilon(self.x, hat, signal, noise).clamp_(-1, 1)
            hat = torch.where(clip > 0, clipped, hat) if False in self.clips else clipped
        x = c_t * self.x + c_hat * hat
        if self.sampler.stochastic:  # sigma is 0 in the last step
            x.addcmul_(self.noise.draw(), sigma)
        self.x.copy_(x)
        here.add_(1)

    def _capture(self) -> torch.cuda.CUDAGraph:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(min(_WARM_UP, len(self.plan))):
                self._step(self.network)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        for generator in self.noise.generators:
            graph.register_generator_state(generator)
        self.position.zero_()
        with torch.cuda.graph(graph):
            self._step(self.network)
        return graph

    def run(self, taken: tuple[int, Tensor] | None = None) -> Iterator[tuple[int, Tensor]]:
        """As ``sampling.reverse``, but each step overwrites the images of the one before it: copy what you keep."""
        done, x = taken or (0, self.noise(0))
        self.x.copy_(x)
        self.position.fill_(done)
        self.noise.seek(done + 1)
        for step in self.plan[done:]:
            if self.graph is None or step.amplifies:
                self._step(self.exact if step.amplifies else self.network)
            else:
                self.graph.replay()
            yield step.s, self.x


def sample_chain(
    network: Denoiser,
    schedule: Schedule,
    sampler: Sampler,
    steps: int,
    seed: int,
    first: int,
    count: int,
    device: str,
    *,
    graph: bool,
    taken: tuple[int, Tensor] | None = None,
    exact: Denoiser | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """The chain of images ``first .. first + count - 1`` of a seed, x_T included: the study's own noise and path.

    Args:
        network, schedule, sampler, steps, taken, exact: as for ``sampling.samplers.reverse``.
        seed: names the noise.
        first, count: which images; image i's noise is the same in every batch.
        device: where to sample.
        graph: by a CUDA graph (``core.device.use_graph``).

    Yields:
        ``(s, x_s)``, beginning with the noise, which is x_T, unless the chain is resumed; each may overwrite the one
        before.
    """
    shape = (1, SIDE, SIDE)
    on_gpu = torch.device(device).type == "cuda"
    draw = partial(image_noise, seed, "sampling noise", first=first, count=count, shape=shape, device=device)
    noise = GpuNoise(seed, "sampling noise", first=first, count=count, shape=shape, device=device) if on_gpu else draw
    if taken is None:
        taken = (0, noise(0))
        yield plan(schedule, sampler, steps)[0].t, taken[1]
    if graph and isinstance(noise, GpuNoise):
        yield from Chain(network, schedule, sampler, steps, noise, exact).run(taken)
    else:
        yield from reverse(network, schedule, sampler, steps, noise, taken, exact)
