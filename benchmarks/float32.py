"""What a processor without bfloat16 instructions takes and finds -> float32.json and float32.md.

All that `make study` computes is then in float32. Run in a clone of its own, after `dvc pull --remote trained train`
and `dvc repro --single-item mnist weights schedules`: the committed models of T = 50 and 100 are sampled again, and
their FIDs compared with the committed ones. What is there already is not made again.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import typer

from benchmarks.measure import alternate, best, machine
from benchmarks.report import on_machine, side_by_side, table
from ddpm import artifacts
from ddpm.core.device import choose
from stages.support import settings
from stages.support.cells import METRICS, REFERENCE, Cell
from stages.support.cli import command_line
from stages.support.cores import cores
from stages.support.parallel import WORKERS, in_order
from stages.tools.jobs import CORRUPTIONS

DATA, PATH = Path("benchmarks/float32.json"), Path("benchmarks/float32.md")
STAGES = ("sample", "embed", "fid")
ALL_T = (50, 100)
ROUNDS = 1
TRAINING = ("ours", "denoising-diffusion-pytorch, fp32", "diffusers, fp32")
SAMPLING = ("ours", "diffusers, our network")
FEATURES = ("ours, default extractor",)


def _stage(name: str, *arguments: str) -> None:
    """Run a stage: one of a cell, which has arguments, on one core as in the grid, another on all."""
    environment = os.environ | ({WORKERS: "1"} if arguments else {})
    if subprocess.run([sys.executable, "-m", f"stages.{name}", *arguments], env=environment).returncode:
        raise SystemExit(f"error: the stage {name} failed, see above")


def _sampled(cell: Cell, sampler: str) -> float:
    """The FID of samples that are made here."""
    if not cell.metrics(sampler).exists():
        axes = ("--schedule", cell.schedule, "--T", str(cell.T), "--seed", str(cell.seed), "--sampler", sampler)
        for name in STAGES:
            _stage(name, *axes)
    return float(artifacts.read_json(cell.metrics(sampler))["fid"])


def fids(params: settings.Params) -> dict[str, dict[str, float]]:
    """Cell and sampler -> the committed FID and the one of here, of the same model and from the same noise."""
    if not REFERENCE.exists():
        _stage("reference")
    committed = {
        (row["schedule"], row["T"], row["seed"], row["sampler"]): row["fid"]
        for row in artifacts.read_csv(METRICS / "fid_of_T.csv")
    }
    asked = [(cell, sampler) for cell in params.grid.cells() if cell.T in ALL_T for sampler in params.grid.sampler]
    here = in_order(lambda item, _: _sampled(*item), asked, cores())
    return {
        f"{cell}-{sampler}": {"committed": committed[cell.schedule, cell.T, cell.seed, sampler], "here": fid}
        for (cell, sampler), fid in zip(asked, here, strict=True)
    }


def items(params: settings.Params) -> dict[str, float]:
    """What `make study` computes from an empty cache, but for the digit classifier and the optimal denoiser."""
    cells, look, levels = params.grid.cells(), params.reference, params.validation.levels
    per_sampler = params.sample.images * len(params.grid.sampler)
    real = look.images + look.floor_images + look.test_images
    corrupted = params.validation.images * (1 + CORRUPTIONS * len(levels))
    return {
        "training": len(cells) * params.train.epochs * params.train.images,
        "sampling": sum(cell.T for cell in cells) * per_sampler,
        "features": len(cells) * per_sampler + real + corrupted,
    }


def hours(found: dict[str, Any]) -> dict[str, float]:
    """Part of `make study` -> hours, at the rates that were measured."""
    ours = {"training": TRAINING[0], "sampling": SAMPLING[0], "features": FEATURES[0]}
    return {part: found["items"][part] / best(found[part][case])[0] / 3600 for part, case in ours.items()}


def page(found: dict[str, Any]) -> str:
    """The whole page."""
    parts, ratios = hours(found), {name: pair["here"] / pair["committed"] for name, pair in found["fids"].items()}
    unclipped = [name for name in ratios if name.startswith("cosine") and name.endswith("ancestral")]
    of_cosine = [ratios[name] for name in unclipped]
    of_others = [ratio for name, ratio in ratios.items() if name not in unclipped]
    rows = [
        (name, *(f"{pair[key]:.3f}" for key in ("committed", "here")), f"{ratios[name]:.3f}")
        for name, pair in found["fids"].items()
    ]
    lines = [
        "# Without bfloat16 instructions",
        "",
        f"Written by `python -m benchmarks.float32` {on_machine(found['machine'])}"
        f" Instructions: {found['instructions']}.",
        "",
        "All in float32; one round, otherwise as in [results.md](results.md).",
        "",
        *side_by_side(found),
        f"At these rates `make study` takes {sum(parts.values()):.1f} hours from an empty cache"
        f" ({', '.join(f'{name} {value:.2f}' for name, value in parts.items())}), without the digit classifier and the"
        " optimal denoiser.",
        "",
        "## The committed models, sampled here",
        "",
        "The models were trained, and the committed samples made, in bfloat16; the noise is the same."
        f" The ratio of the FIDs is {min(of_others):.3f} to {max(of_others):.3f}, on cosine without the clip"
        f" {min(of_cosine):.3f} to {max(of_cosine):.3f}.",
        "",
        *table(("cell and sampler", "committed FID", "FID here", "ratio"), *rows),
    ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Measure, keep the raw figures, write the page."""
    params = settings.load()
    if choose(**params.compute.model_dump())[1] is not torch.float32:
        raise SystemExit("error: here the study computes in bfloat16, as the committed results were made")
    found = {
        "machine": machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "items": items(params),
        "fids": fids(params),
        "sampling": alternate("benchmarks.sampling", SAMPLING, ROUNDS, 5),
        "training": alternate("benchmarks.training", TRAINING, ROUNDS, 10),
        "features": alternate("benchmarks.features", FEATURES, ROUNDS, 5),
    }
    DATA.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PATH.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command()(main)
    command_line(app)
