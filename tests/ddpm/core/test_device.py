"""Device and precision: what auto means, and no silent fallback from what was asked for."""

import json
import os
import subprocess
import sys

import pytest
import torch

from ddpm.core.device import choose, feature_batch, sample_batch
from ddpm.errors import StudyError


def test_float32_is_no_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    choose("cpu", "float32", 1)
    assert not torch.backends.cudnn.allow_tf32


def test_explicit_choice_is_kept() -> None:
    assert choose("cpu", "float32", 1) == ("cpu", torch.float32)
    assert choose("cpu", "bfloat16", 1) == ("cpu", torch.bfloat16)


@pytest.mark.parametrize(("found", "dtype"), [({"avx512_bf16": True}, torch.bfloat16), ({}, torch.float32)])
def test_auto_takes_bfloat16_only_where_it_is_native(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert choose("auto", "auto", 1) == ("cpu", dtype)


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert choose("auto", "auto", 1) == ("cuda", torch.bfloat16)
    assert choose("cpu", "float32", 1) == ("cpu", torch.float32)


def test_cuda_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StudyError, match=r"compute\.device: no CUDA device here"):
        choose("cuda", "auto", 1)


@pytest.mark.parametrize("asked", [1, 250, 5000])
def test_a_cpu_samples_as_many_images_at_once_as_it_is_told(asked: int) -> None:
    assert sample_batch(asked, "cpu") == asked <= sample_batch(asked, "cuda")
    assert feature_batch("cpu") < feature_batch("cuda")


def test_the_threads_are_the_parameters_and_not_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    try:
        for threads in (2, 1):
            choose("cpu", "float32", threads)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_numpy_has_one_thread_whatever_the_environment_says() -> None:
    code = "import stages, numpy, threadpoolctl; print([p['num_threads'] for p in threadpoolctl.threadpool_info()])"
    environment = os.environ | {"OMP_NUM_THREADS": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == {1}
