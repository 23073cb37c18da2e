"""A generator of the CPU that can seek, so that noise which a GPU draws can be drawn without one."""

import pytest
import torch

from ddpm.core import rng
from ddpm.core.rng import stream

BLOCK = 8  # images that have one generator
GROUP = 16  # normal numbers that torch draws together on a CPU; a draw of whole groups leaves none behind


class SeekingGenerator(torch.Generator):
    """Its offset is how many normal numbers were drawn, in whole groups; it seeks by drawing them anew."""

    def get_offset(self) -> int:
        fresh = torch.Generator().manual_seed(self.initial_seed())
        for groups in range(10_000):
            if torch.equal(fresh.get_state(), self.get_state()):
                return groups * GROUP
            torch.empty(GROUP).normal_(generator=fresh)
        raise AssertionError(f"more than 10,000 groups, or no whole groups of {GROUP} numbers, were drawn")

    def set_offset(self, offset: int) -> torch.Generator:
        self.manual_seed(self.initial_seed())
        torch.empty(offset).normal_(generator=self)
        return self


def seeking_stream(seed: int, *purpose: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """As ``rng.stream`` on a CPU."""
    assert torch.device(device).type == "cpu"
    return SeekingGenerator().manual_seed(stream(seed, *purpose).initial_seed())


def let_the_cpu_seek(monkeypatch: pytest.MonkeyPatch) -> None:
    """``rng.GpuNoise`` draws on a CPU, in blocks of ``BLOCK`` images of an even number of pixels."""
    monkeypatch.setattr(rng, "stream", seeking_stream)
    monkeypatch.setattr(rng, "GPU_NOISE_BLOCK", BLOCK)
