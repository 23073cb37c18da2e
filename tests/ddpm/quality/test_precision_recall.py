"""Precision and recall against torch-fidelity and against sets whose manifolds are known."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm.errors import StudyError
from ddpm.quality import frechet
from ddpm.quality.precision_recall import precision_recall


@pytest.mark.parametrize(("n", "m", "shift"), [(200, 200, 0.0), (150, 300, 0.7), (300, 120, 2.0)])
def test_parity_with_torch_fidelity(n: int, m: int, shift: float) -> None:
    from torch_fidelity.metric_prc import prc_features_to_metric

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 12)) + shift, rng.normal(size=(m, 12))
    theirs = prc_features_to_metric(torch.from_numpy(x), torch.from_numpy(y), prc_neighborhood=3, verbose=False)
    ours = precision_recall(x, y)
    assert ours == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-6)


@given(seed=st.integers(0, 500), k=st.integers(1, 5))
def test_laws(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(25, 3)) + 0.5
    precision, recall = precision_recall(x, y, k)
    assert 0 <= precision <= 1
    assert 0 <= recall <= 1
    assert precision_recall(y, x, k) == (recall, precision)
    assert precision_recall(x[::-1], y, k) == (precision, recall)
    wider = precision_recall(x, y, k + 1)
    assert wider[0] >= precision
    assert wider[1] >= recall
    assert precision_recall(x, x, k) == (1, 1)


def test_a_collapsed_generator_is_precise_and_recalls_nothing() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(300, 4))
    collapsed = real[:1] + 1e-3 * rng.normal(size=(300, 4))
    precision, recall = precision_recall(collapsed, real)
    assert precision == 1
    assert recall < 0.02


def test_a_generator_far_away_has_neither() -> None:
    rng = np.random.default_rng(0)
    assert precision_recall(rng.normal(size=(50, 4)) + 100, rng.normal(size=(50, 4))) == (0, 0)


@pytest.mark.parametrize("k", [0, 10])
def test_refuses_neighbours_that_do_not_exist(k: int) -> None:
    x = np.random.default_rng(0).normal(size=(10, 2))
    with pytest.raises(StudyError, match="neighbours"):
        precision_recall(x, x, k)


@pytest.mark.parametrize("device", ["meta", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("pairs", [7, 1000, 4321, 20_000])
def test_blocks_and_devices_change_nothing(pairs: int, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's arithmetic is tried on the CPU too: a name that is not ``cpu`` selects it, the tensors stay here."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 6)), rng.normal(size=(90, 6)) + 0.4
    expected = precision_recall(x, y)
    monkeypatch.setattr(frechet, "_PAIRS", pairs)
    assert precision_recall(x, y) == expected
    if device == "meta":
        monkeypatch.setattr(torch.Tensor, "to", lambda self, _: self)
    assert precision_recall(x, y, device=device) == expected
