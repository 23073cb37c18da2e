"""Muon for the convolutions, Adam for everything else.

Muon is torch's (torch.optim.Muon) but for its precision: that one multiplies in bfloat16 whatever the device can, which
took a fifth of a training step where bfloat16 is emulated.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of x, x^3 and x^5: they send singular values of 0 to 1 near 1 in five steps
_STEPS = 5


def _polynomial(gram: Tensor) -> Tensor:
    """P of the last iterate P X, from X X^T: every iterate is a polynomial in X X^T times X. ``[k, m, m]``, both."""
    a, b, c = _COEFFICIENTS
    identity = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device).expand_as(gram)
    factor = product = identity
    for step in range(_STEPS):
        gram = factor @ gram @ factor if step else gram
        factor = a * identity + torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        product = factor @ product if step else factor
    return product


def orthogonalise(matrices: list[Tensor]) -> list[Tensor]:
    """The nearest semi-orthogonal matrices, roughly: U V^T of U S V^T, with singular values of 0.7 to 1.2 for 1.

    Newton-Schulz iterations (Jordan et al. 2024) in the matrices' own precision, of all matrices with the same shorter
    side at once, and on their m x m Gram matrices alone: half the time of one after another on the m x n.

    Args:
        matrices: float ``[m, n]`` each, not zero.
    """
    wide = [x if len(x) <= x.shape[1] else x.T for x in matrices]
    found = list(wide)
    for side in sorted({len(x) for x in wide}):
        same = [i for i, x in enumerate(wide) if len(x) == side]
        grams = torch.stack([wide[i] @ wide[i].T for i in same])
        squares = grams.diagonal(dim1=1, dim2=2).sum(1).clamp(min=1e-14)[:, None, None]  # of the Frobenius norm
        for i, polynomial in zip(same, _polynomial(grams / squares) / squares.sqrt(), strict=True):
            found[i] = polynomial @ wide[i]
    return [y if x.shape == y.shape else y.T for x, y in zip(matrices, found, strict=True)]


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024): Nesterov momentum whose matrix is made orthogonal, so that no direction learns slowly.

    Args:
        weights: any shape ``[c, ...]``, seen as matrices ``[c, rest]``.
        lr: learning rate, a number or a scalar tensor; a matrix with more rows than columns gets sqrt(rows / columns)
            of it.
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: float | Tensor) -> None:
        super().__init__(list(weights), {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # it returns no loss
        """One step; ValueError when a weight has no gradient, or a closure is given."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            weights = group["params"]
            if any(weight.grad is None for weight in weights):
                raise ValueError("a weight without a gradient")
            gradients = [weight.grad.flatten(1) for weight in weights]
            for weight, gradient in zip(weights, gradients, strict=True):
                if not self.state[weight]:
                    self.state[weight]["momentum"] = torch.zeros_like(gradient)
            momenta = [self.state[weight]["momentum"] for weight in weights]
            torch._foreach_lerp_(momenta, gradients, 1 - _MOMENTUM)
            updates = orthogonalise(list(torch._foreach_lerp(gradients, momenta, _MOMENTUM)))
            for weight, update in zip(weights, updates, strict=True):
                longer = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                if isinstance(group["lr"], Tensor):
                    weight.addcmul_(update.reshape(weight.shape), group["lr"], value=-longer)
                else:
                    weight.add_(update.reshape(weight.shape), alpha=-group["lr"] * longer)


class MuonAndAdam:
    """Muon on hidden convolutions, Adam on the rest: the first and the last convolution, biases, norms, small layers.

    Args:
        hidden: weights of convolutions, any shape ``[c, ...]``; they get Muon.
        others: all other parameters.
        muon_learning_rate: of Muon at its highest.
        learning_rate: of Adam at its highest.
        adam_beta_2: decay of Adam's squared gradients.
        capturable: keep the learning rates in tensors, so that a CUDA graph which holds a step reads them anew at every
            replay.
    """

    def __init__(
        self,
        hidden: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        muon_learning_rate: float,
        learning_rate: float,
        adam_beta_2: float,
        *,
        capturable: bool = False,
    ) -> None:
        others, hidden = list(others), list(hidden)
        device = others[0].device

        def peak(rate: float) -> float | Tensor:
            return torch.tensor(rate, device=device) if capturable else rate

        adam = torch.optim.Adam(
            others,
            lr=peak(learning_rate),
            betas=(0.9, adam_beta_2),
            fused=True,
            capturable=capturable and device.type == "cuda",
        )
        self.optimizers: list[torch.optim.Optimizer] = [adam]
        self.highest = [learning_rate]
        if hidden:
            self.optimizers.append(Muon(hidden, peak(muon_learning_rate)))
            self.highest.append(muon_learning_rate)

    def step(self, share: float | Tensor) -> None:
        """One step with the gradients of now, at ``share`` (0 to 1) of the highest learning rates; drops gradients.

        Where the learning rates are tensors, ``share`` may be one as well: a scalar on the parameters' device.
        """
        for optimizer, highest in zip(self.optimizers, self.highest, strict=True):
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(share * highest)
                else:
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
