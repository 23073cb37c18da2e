"""`make bench`: everything that is measured side by side in one run -> benchmarks/results.json and results.md."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks import distances, peak, pipeline, report
from benchmarks.measure import alternate, in_processes, layouts, machine
from ddpm.core.device import choose
from stages.support.cli import command_line

RESULTS = Path("benchmarks/results.json")
ROUNDS = 3


def main(parts: Annotated[list[str] | None, typer.Argument(help="What to measure; all by default.")] = None) -> None:
    """Measure, keep the raw figures, write the table.

    Parts that are not named stay as they were, and must be of this machine, day and packages.
    """
    if unknown := sorted(set(parts or ()) - set(MEASURES)):
        raise SystemExit(f"error: unknown part {unknown[0]!r}; choose from {', '.join(MEASURES)}")
    found: dict[str, Any] = {"machine": machine()}
    earlier = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if parts and earlier.get("machine") != found["machine"]:
        raise SystemExit(f"error: {RESULTS} is of another machine, day or packages; measure all parts: make bench")
    for name, measure in MEASURES.items():
        found[name] = measure() if not parts or name in parts else earlier[name]
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    report.write(found)


TRAINING = (
    "ours",
    "denoising-diffusion-pytorch, fp32",
    "denoising-diffusion-pytorch, bf16",
    "diffusers, fp32",
    "diffusers, bf16",
)
SAMPLING = ("ours", "diffusers, our network", "diffusers, its network")
FEATURES = ("ours, 2048-d at 299 px", "ours, default extractor", "pytorch-fid", "torch-fidelity")


def native(cases: Iterable[str]) -> list[str]:
    """Without the cases in bfloat16 where the processor would emulate it, at a fiftieth of float32's rate."""
    has_bfloat16 = choose("cpu", "auto", 1)[1] is torch.bfloat16
    return [case for case in cases if has_bfloat16 or not case.endswith("bf16")]


def peaks() -> dict[str, dict[str, float]]:
    """Case of ``benchmarks.peak`` -> layout -> FLOP/s, all its processes together."""
    return {
        case: {
            str(layout): sum(result["rate"] for result in in_processes("benchmarks.peak", [case], layout))
            for layout in layouts()
        }
        for case in peak.CASES
    }


MEASURES: dict[str, Callable[[], Any]] = {
    "peak": peaks,
    "training": lambda: alternate("benchmarks.training", native(TRAINING), ROUNDS, 10),
    "sampling": lambda: alternate("benchmarks.sampling", SAMPLING, ROUNDS, 5),
    "features": lambda: alternate("benchmarks.features", FEATURES, ROUNDS, 5),
    "distances": distances.measure,
    "no_op_seconds": pipeline.no_op_seconds,
    "start_seconds": pipeline.start_seconds,
    "breakdown": pipeline.breakdown,
}

if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command()(main)
    command_line(app)
