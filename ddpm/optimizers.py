"""Muon for the convolutions, Adam for everything else."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class MuonAndAdam:
    """Muon (Jordan et al. 2024) on hidden convolutions, seen as matrices ``[out, in x kernel]``; Adam on the rest.

    Muon replaces a matrix of gradients by its nearest semi-orthogonal one, so that no direction is learned slowly. It
    is for hidden layers: the first and the last convolution, biases, norms and the small layers of the time keep Adam.

    Args:
        hidden: weights of convolutions, any shape ``[c, ...]``; they get Muon.
        others: all other parameters.
        muon_learning_rate: of Muon at its highest.
        learning_rate: of Adam at its highest.
        adam_beta_2: decay of Adam's squared gradients.
    """

    def __init__(
        self,
        hidden: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        muon_learning_rate: float,
        learning_rate: float,
        adam_beta_2: float,
    ) -> None:
        adam = torch.optim.Adam(others, lr=learning_rate, betas=(0.9, adam_beta_2), fused=True)
        self.optimizers: list[torch.optim.Optimizer] = [adam]
        self.highest = [learning_rate]
        self.hidden = list(hidden)
        # torch's Muon takes matrices alone: these share their memory with the weights
        self.matrices = [nn.Parameter(weight.detach().view(len(weight), -1)) for weight in self.hidden]
        if self.matrices:
            self.optimizers.append(torch.optim.Muon(self.matrices, lr=muon_learning_rate, weight_decay=0.0))
            self.highest.append(muon_learning_rate)

    def step(self, share: float) -> None:
        """One step with the gradients of now, at ``share`` (0 to 1) of the highest learning rates; drops gradients."""
        for weight, matrix in zip(self.hidden, self.matrices, strict=True):
            gradient, weight.grad = weight.grad, None
            if gradient is None:
                raise ValueError("a weight without a gradient")
            matrix.grad = gradient.view(matrix.shape)
        for optimizer, highest in zip(self.optimizers, self.highest, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = share * highest
            optimizer.step()
            optimizer.zero_grad()

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on besides parameters and gradients, by name."""
        return {
            f"{number}.{index}.{name}": value
            for number, optimizer in enumerate(self.optimizers)
            for index, values in optimizer.state_dict()["state"].items()
            for name, value in values.items()
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take over what ``state`` gave, of an optimiser of equal parameters."""
        for number, optimizer in enumerate(self.optimizers):
            found: dict[int, dict[str, Tensor]] = {}
            for key, value in state.items():
                owner, index, name = key.split(".")
                if int(owner) == number:
                    found.setdefault(int(index), {})[name] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": found})
