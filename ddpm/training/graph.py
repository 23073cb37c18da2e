"""A training step as one CUDA graph: a replay is one launch, without Python, allocation or waiting for the GPU.

Launched one by one, the 500 kernels of a step on small images take nine times as long as replayed (benchmarks/gpu.md).
What changes from step to step is read from tables on the device, at a position which the step itself advances: the
images of the batch, the learning rates and the decay of the average. Losses are written to a table, to be read once in
a while.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ddpm.training.loop import Training

_WARM_UP = 3  # steps before a capture, in which libraries choose their kernels and allocate their workspaces


class StepGraph:
    """The training steps on full batches of one training, whose weights, optimisers and generator it works on.

    Without a GPU the same step runs eagerly.

    Args:
        training: at the step that comes next.
    """

    def __init__(self, training: "Training") -> None:
        self.training, recipe, device = training, training.recipe, training.images.device
        steps = range(1, training.steps + 1)
        self.shares = torch.tensor([recipe.rate(step, training.steps) for step in steps], device=device)
        self.decays = torch.tensor([recipe.decay(step) for step in steps], device=device)
        self.losses = torch.zeros(training.steps, device=device)
        self.order = torch.zeros(len(training.images), dtype=torch.int64, device=device)
        self.position = torch.zeros(1, dtype=torch.int64, device=device)  # steps taken
        self.places = torch.arange(min(recipe.batch_size, len(training.images)), device=device)  # within a batch
        self.graph = self._capture() if device.type == "cuda" else None

    def _step(self) -> None:
        """What the graph holds."""
        training, here = self.training, self.position
        first = here % training.batches * training.recipe.batch_size
        batch = self.order.index_select(0, first + self.places)
        share, decay = (table.index_select(0, here).squeeze(0) for table in (self.shares, self.decays))
        loss = training.update(batch, share, decay)
        self.losses.index_copy_(0, here, loss.view(1))
        here.add_(1)

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Record one step. The warm-up steps are undone, so every full batch of a training is a replay."""
        before = {name: value.clone() for name, value in self.training.state().items()}
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                self._step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.training.noise)
        with torch.cuda.graph(graph):
            self._step()
        for name, value in self.training.state().items():
            if value.is_cuda and name in before:
                value.copy_(before[name])
            elif value.is_cuda:
                value.zero_()  # the state of an optimiser that has taken no step
        self.training.noise.set_state(before["noise"])
        return graph

    def begin(self, order: Tensor, step: int) -> None:
        """Begin, or resume, an epoch.

        Args:
            order: the indices of all images in the order of their use, int64 ``[N]``.
            step: how many steps were taken.
        """
        self.order.copy_(order)
        self.position.fill_(step)

    def take(self, step: int) -> Tensor:
        """Take the step that follows ``step`` others; its loss, a scalar on the device."""
        if self.graph is None:
            self._step()
        else:
            self.graph.replay()
        return self.losses[step]
