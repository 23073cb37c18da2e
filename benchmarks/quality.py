"""`make bench-quality`: what each reaches for its time, and for its images. Slow: a peer's epoch takes 12 minutes.

Every network samples 500 images in 50 calls, by its own library's way, from EMA weights of the same decay. Both
extractors are the study's own: FID with the default extractor, and the digit classifier. Peers run in fp32, as they
come, on all cores.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks import peers, report
from benchmarks.measure import machine, use_threads
from ddpm import artifacts, classifier
from ddpm.classifier import load_classifier
from ddpm.core import rng
from ddpm.core.device import choose
from ddpm.core.mnist import to_uint8
from ddpm.quality.frechet import frechet_distance
from ddpm.sampling import inference
from ddpm.sampling.samplers import SAMPLERS, reverse
from ddpm.schedules import make_schedule
from ddpm.training.loop import Recipe
from stages.inputs.embedder import Embedder
from stages.support import settings
from stages.support.cells import CLASSIFIER, DIGITS, REFERENCE
from stages.support.cli import command_line

RESULTS = Path("benchmarks/quality.json")
SAMPLES = 500
CALLS = 50
EPOCH = 60_000


@dataclass(frozen=True)
class Point:
    """Where a training stands: wall seconds, images seen, and the two distances of what it draws to real images."""

    seconds: float
    images: int
    fid: float
    digits_distance: float


class Scorer:
    """FID, and the distance in the classifier's features, of uint8 images ``[n, 1, 28, 28]``."""

    def __init__(self) -> None:
        self.reference = artifacts.read_tensors(REFERENCE)[0]["reference"]
        self.embed = Embedder(settings.load().extractor, "cpu")
        self.digits_reference = artifacts.read_tensors(DIGITS)[0]["reference"]
        self.classifier = load_classifier(CLASSIFIER, "cpu")

    def __call__(self, images: Tensor) -> tuple[float, float]:
        digits = classifier.predict(self.classifier, images)[0].numpy()
        fid = frechet_distance(self.embed(images, "features"), self.reference)
        return fid, frechet_distance(digits, self.digits_reference)


def _timed(steps: Iterator[int], stops: list[Callable[[float, int], bool]]) -> Iterator[tuple[float, int]]:
    """Run a training until the last stop; yield (seconds, images) at each, the clock standing still meanwhile."""
    seconds, images, waiting = 0.0, 0, list(stops)
    while waiting:
        started = time.perf_counter()
        done = next(steps, None)
        seconds += time.perf_counter() - started
        if done is None:
            yield seconds, images
            return
        images += done
        if waiting[0](seconds, images):
            waiting.pop(0)
            yield seconds, images


def ours(scorer: Scorer, epochs: int, per_epoch: int) -> list[Point]:
    """Our default recipe at so many epochs, scored so often."""
    params = settings.load()
    recipe = Recipe(**params.train.model_dump(exclude={"images"}) | {"epochs": epochs})
    training = peers.our_training(recipe, CALLS)
    marks = [EPOCH * k // per_epoch for k in range(1, epochs * per_epoch + 1)]
    stops = [lambda _, images, mark=mark: images >= mark for mark in marks]
    return [
        Point(seconds, images, *scorer(_our_samples(training.ema)))
        for seconds, images in _timed((step.images for step in training), stops)  # type: ignore[arg-type]
    ]


def _our_samples(net: nn.Module) -> Tensor:
    device, dtype = choose(**use_threads().model_dump())
    schedule = make_schedule("linear", CALLS).to(device)

    def noise(k: int) -> Tensor:
        return rng.image_noise(0, "sampling noise", k, first=0, count=SAMPLES, shape=(1, 28, 28))

    *_, (_, x_0) = reverse(
        inference.sampling_denoiser(net, schedule, dtype), schedule, SAMPLERS["ancestral"], CALLS, noise
    )
    return to_uint8(x_0)


def _diffusers_samples(net: nn.Module) -> Tensor:
    from diffusers import DDPMPipeline, DDPMScheduler

    pipeline = DDPMPipeline(net, DDPMScheduler(1000))
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    made = pipeline(batch_size=SAMPLES, num_inference_steps=CALLS, output_type="np", generator=generator).images
    return torch.from_numpy(np.round(made * 255).astype(np.uint8)).permute(0, 3, 1, 2)


def _denoising_diffusion_samples(diffusion: nn.Module) -> Tensor:
    torch.manual_seed(0)  # its sampler takes no generator
    made: Tensor = diffusion.sample(batch_size=SAMPLES)  # type: ignore[operator]
    return made.mul(255).round().clamp(0, 255).to(torch.uint8)


PEERS: dict[str, tuple[Callable[..., Any], Callable[[nn.Module], Tensor]]] = {
    "denoising-diffusion-pytorch": (peers.denoising_diffusion_pytorch, _denoising_diffusion_samples),
    "diffusers": (peers.diffusers_training, _diffusers_samples),
}


def peer(name: str, scorer: Scorer, equal_seconds: float) -> list[Point]:
    """A peer after the given time, and after one epoch."""
    build, sample = PEERS[name]
    net, loss = build(1000, CALLS)
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.995))
    train = peers.trainer(net, loss, bfloat16=False)

    def steps() -> Iterator[int]:
        while True:
            done = train()
            average.update_parameters(net)
            yield done

    # the last, incomplete batch of an epoch is left out
    stops = [lambda seconds, _: seconds >= equal_seconds, lambda _, images: images > EPOCH - peers.BATCH]
    return [
        Point(seconds, images, *scorer(sample(copy.deepcopy(average.module).eval())))
        for seconds, images in _timed(steps(), stops)
    ]


def main(peer_names: Annotated[list[str] | None, typer.Argument(help="Which peers; all by default.")] = None) -> None:
    """Train and score all, write benchmarks/quality.json and quality.md."""
    if unknown := sorted(set(peer_names or ()) - set(PEERS)):
        raise SystemExit(f"error: unknown peer {unknown[0]!r}; choose from {', '.join(PEERS)}")
    use_threads()
    scorer = Scorer()
    five = ours(scorer, settings.load().train.epochs, 8)
    found: dict[str, Any] = {
        "machine": machine(),
        "ours, default epochs": [vars(point) for point in five],
        "ours, one epoch": [vars(point) for point in ours(scorer, 1, 1)],
    }
    for name in peer_names or PEERS:
        points = peer(name, scorer, five[-1].seconds)
        reached = next((vars(point) for point in five if point.fid <= points[-1].fid), None)
        found[name] = {
            "equal time": vars(points[0]),
            "one epoch": vars(points[-1]),
            "ours, as soon as its FID is that of one epoch": reached,
        }
        artifacts.write_json(RESULTS, found)
        report.write_quality(found)
        print(json.dumps(found[name]))


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command()(main)
    command_line(app)
