"""Speed on a GPU compared with reference implementations, alternately in one process over several rounds."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_cases import SAMPLES, Case, features, network, our_training, sampling, training
from ddpm.core import rng
from ddpm.core.rng import GpuNoise
from ddpm.sampling import inference
from ddpm.sampling.graph import Chain
from ddpm.sampling.samplers import SAMPLERS
from ddpm.schedules import make_schedule


def seconds(call: Callable[[], object]) -> float:
    """Time of one call on the GPU, from idle to idle."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def rates(cases: dict[str, Callable[[], Case]], rounds: int, longest: float) -> dict[str, list[float]]:
    """Items a second of each case in each round.

    Args:
        cases: name -> what makes the case; a case does some items a call and says how many.
        rounds: how often all are measured, one after another.
        longest: about how many seconds each may take in a round.
    """
    made = {}
    for name, make in cases.items():
        case = make()
        for _ in range(3):
            seconds(case)  # libraries choose their kernels
        made[name] = (case, max(1, int(longest / seconds(case))))

    def repeat(case: Case, calls: int) -> int:
        return sum(case() for _ in range(calls))

    found: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (case, calls) in made.items():
            items = case() * calls
            found[name].append(items / seconds(lambda case=case, calls=calls: repeat(case, calls)))  # type: ignore[misc]
    return found


def peaks() -> dict[str, float]:
    """What the card does at best here: products of 8192 x 8192 matrices, FLOP/s, and a copy, bytes/s."""
    found = {}
    for dtype in (torch.bfloat16, torch.float32):
        generator = rng.stream(0, "peak", device="cuda")
        a, b = (torch.randn(8192, 8192, device="cuda", generator=generator).to(dtype) for _ in range(2))
        best = min(seconds(lambda a=a, b=b: a @ b) for _ in range(6))  # type: ignore[misc]
        found[str(dtype).removeprefix("torch.")] = 2 * 8192**3 / best
    x = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    y = torch.empty_like(x)
    found["copy"] = 2 * len(x) / min(seconds(lambda: y.copy_(x)) for _ in range(6))
    return found


def pass_flop() -> float:
    """Operations of one pass of one image through the network, FLOP."""
    net, x = network(), torch.zeros(4, 1, 28, 28, device="cuda")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x, torch.ones(4, dtype=torch.int64, device="cuda"))
    return float(counter.get_total_flops()) / len(x)


def epochs() -> float:
    """Seconds of a whole training of a default cell, capture included."""
    return seconds(lambda: [step.step for step in our_training(graph=True)])


def long_chain(images: int = 10_000, steps: int = 800) -> float:
    """Seconds of sampling 10,000 images in 800 steps, in the batches of the study, captures included."""
    net, schedule = network().requires_grad_(False), make_schedule("linear", steps).to("cuda")
    eps = inference.sampling_denoiser(net, schedule, torch.bfloat16)

    def run() -> None:
        for first in range(0, images, SAMPLES):
            noise = GpuNoise(0, "benchmark", first=first, count=SAMPLES, shape=(1, 28, 28), device="cuda")
            for _ in Chain(eps, schedule, SAMPLERS["clipped"], steps, noise).run():
                pass

    return seconds(run)


def measure_all(path: Path, rounds: int, longest: float) -> None:
    """Everything above, each group in turns; the file is written anew after every part, should time run out."""
    found: dict[str, Any] = {}

    def keep(**part: Any) -> None:
        found.update(part)
        path.write_text(json.dumps(found))

    keep(train_5_epochs_seconds=[epochs() for _ in range(2)])
    keep(sample_10000_in_800_steps_seconds=long_chain())
    keep(peaks=peaks(), pass_flop=pass_flop())
    for name, group in {"training": training, "sampling": sampling, "features": features}.items():
        keep(**{name: rates(group(), rounds, longest)})
    work = {
        "training": 3 * found["pass_flop"],
        "sampling": found["pass_flop"],
    }  # a backward pass costs two forward ones
    peak = found["peaks"]["bfloat16"]
    keep(share_of_bfloat16_peak={name: work[name] * statistics.median(found[name]["ours"]) / peak for name in work})


if __name__ == "__main__":
    measure_all(Path(sys.argv[1]), rounds=3, longest=1.0)
