"""Names of parts and peers that do not exist, and what the processor cannot do, are not measured."""

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import __main__ as bench
from benchmarks import gpu, quality


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parts that benchmarks.gpu runs, which are not run here."""
    names: list[str] = []

    class Noting:
        def __init__(self, *_: Any) -> None:
            pass

        def study(self, *_: Any) -> None:
            raise AssertionError("nothing is measured here")

        def part(self, name: str, *_: Any) -> None:
            names.append(name)

    monkeypatch.setattr(gpu, "Script", Noting)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    return names


def test_an_unknown_peer() -> None:
    with pytest.raises(SystemExit, match=r"^error: unknown peer 'diffuser'; choose from denoising-diffusion-pytorch, "):
        quality.main(["diffusers", "diffuser"])


def test_an_unknown_part(tmp_path: Path, ran: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"^error: unknown part 'rate'; choose from tests, rates, grid, "):
        gpu.main(tmp_path, tmp_path / "out", parts="tests, rate")
    assert ran == []


def test_the_experiments_are_one_word(tmp_path: Path, ran: list[str]) -> None:
    experiments = [name for studies in gpu.EXPERIMENTS.values() for name in studies]
    gpu.main(tmp_path, tmp_path / "out", parts="tests, experiments")
    assert ran == ["tests", *experiments]
    ran.clear()
    gpu.main(tmp_path, tmp_path / "out")
    assert ran == ["tests", "rates", "grid", *experiments]


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_bfloat16_is_not_measured_where_it_is_emulated(monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": has_bfloat16})
    cases = ["ours", "diffusers, fp32", "diffusers, bf16"]
    assert bench.native(cases) == (cases if has_bfloat16 else cases[:2])
