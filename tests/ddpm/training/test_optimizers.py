"""Muon and Adam side by side: each does to its own parameters what torch's does, and nothing to the other's.

Torch's Muon rounds its update to bfloat16, 8 bits of precision; ours must agree to that.
"""

import pytest
import torch
from torch import nn

from ddpm.training.optimizers import Muon, MuonAndAdam, orthogonalise

RATE, MUON, BETA_2 = 3e-3, 0.02, 0.99


def parameter(*shape: int, seed: int = 0) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))


def push(*parameters: nn.Parameter, seed: int) -> None:
    """Give every parameter a gradient, the same for the same seed and number of values."""
    for p in parameters:
        p.grad = torch.randn(p.numel(), generator=torch.Generator().manual_seed(seed)).view(p.shape)


def newton_schulz(x: torch.Tensor) -> torch.Tensor:
    """As Jordan et al. 2024 write it, on the matrix itself."""
    x = x / x.norm()
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (4, 6, 1, 1), (5, 7)])
def test_parity_with_torch(shape: tuple[int, ...]) -> None:
    hidden, other = parameter(*shape), parameter(9)
    matrix, twin = nn.Parameter(hidden.detach().clone().view(len(hidden), -1)), nn.Parameter(other.detach().clone())
    start = hidden.detach().clone()
    both = MuonAndAdam([hidden], [other], MUON, RATE, BETA_2)
    muon = torch.optim.Muon([matrix], lr=MUON, weight_decay=0.0)
    adam = torch.optim.Adam([twin], lr=RATE, betas=(0.9, BETA_2), fused=True)
    for seed in range(4):
        push(hidden, other, matrix, twin, seed=seed)
        both.step(1.0)
        muon.step()
        adam.step()
        # every step may differ by bfloat16's rounding of an update of about MUON
        assert torch.allclose(hidden.view(matrix.shape), matrix, atol=MUON * 0.03 * (seed + 1), rtol=0)
        assert not torch.allclose(hidden, start, atol=MUON * 0.2)
        assert torch.equal(other, twin)
        assert hidden.grad is None
        assert other.grad is None


def test_the_share_scales_both() -> None:
    hidden, other = parameter(4, 4), parameter(4)
    before = hidden.detach().clone(), other.detach().clone()
    both = MuonAndAdam([hidden], [other], MUON, RATE, BETA_2)
    push(hidden, other, seed=0)
    both.step(0.0)
    assert torch.equal(hidden, before[0])
    assert torch.equal(other, before[1])


def test_a_step_of_muon_is_nearly_orthogonal() -> None:
    hidden = parameter(6, 6)
    before = hidden.detach().clone()
    both = MuonAndAdam([hidden], [parameter(1)], MUON, RATE, BETA_2)
    push(hidden, *both.optimizers[0].param_groups[0]["params"], seed=1)
    both.step(1.0)
    singular = torch.linalg.svdvals((before - hidden.detach()) / MUON)
    # torch's coefficients aim at 0.7 .. 1.2 (Jordan et al. 2024)
    assert float(singular.min()) > 0.3
    assert float(singular.max()) < 1.5


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (9, 9)])
def test_orthogonalising_keeps_the_singular_vectors(shape: tuple[int, int]) -> None:
    u, s, v = torch.linalg.svd(parameter(*shape).detach().double(), full_matrices=False)
    (near,) = orthogonalise([u @ torch.diag(s) @ v])
    found = u.T @ near @ v.T
    assert torch.allclose(found, torch.diag(found.diagonal()), atol=1e-9)
    assert float(found.diagonal().min()) > 0.3


def test_orthogonalising_does_not_depend_on_the_scale() -> None:
    matrix = parameter(5, 8).detach()
    one, other = orthogonalise([matrix, 1000 * matrix])
    assert torch.allclose(one, other, atol=1e-5)


def test_orthogonalising_together_is_as_alone() -> None:
    matrices = [parameter(*shape, seed=i).detach().double() for i, shape in enumerate([(4, 9), (9, 4), (4, 4), (3, 7)])]
    for matrix, found in zip(matrices, orthogonalise(matrices), strict=True):
        assert found.shape == matrix.shape
        assert torch.allclose(found, orthogonalise([matrix])[0], atol=1e-12)
        assert torch.allclose(found, newton_schulz(matrix), atol=1e-9)


def test_a_forgotten_gradient_is_a_bug() -> None:
    with pytest.raises(ValueError, match="without a gradient"):
        MuonAndAdam([parameter(4, 4)], [parameter(1)], MUON, RATE, BETA_2).step(1.0)


def test_muon_takes_no_closure() -> None:
    weight = parameter(4, 4)
    push(weight, seed=0)
    before = weight.detach().clone()
    with pytest.raises(ValueError, match="no closure"):
        Muon([weight], MUON).step(lambda: 0.0)
    assert torch.equal(weight, before)
