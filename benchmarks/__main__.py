"""`make bench`: everything that is measured side by side in one run -> benchmarks/results.json and results.md."""

import json
from pathlib import Path
from typing import Any

import torch

from benchmarks import distances, pipeline, report
from benchmarks.measure import alternate, in_processes, layouts, machine

RESULTS = Path("benchmarks/results.json")
ROUNDS = 3


def main() -> None:
    """Measure all, keep the raw figures, write the table."""
    found: dict[str, Any] = {"machine": machine()}
    found["peak"] = peaks()
    found["training"] = alternate("benchmarks.training", TRAINING, ROUNDS, 10)
    found["sampling"] = alternate("benchmarks.sampling", SAMPLING, ROUNDS, 5)
    found["features"] = alternate("benchmarks.features", FEATURES, ROUNDS, 5)
    found["distances"] = distances.measure()
    found["no_op_seconds"] = pipeline.no_op_seconds()
    found["start_seconds"] = pipeline.start_seconds()
    found["breakdown"] = pipeline.breakdown()
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


def peaks() -> dict[str, dict[str, float]]:
    """Matrix-multiply peak of each layout, FLOP/s, all its processes together."""
    found: dict[str, dict[str, float]] = {}
    for dtype in (torch.float32, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        found[name] = {
            str(layout): sum(result["rate"] for result in in_processes("benchmarks.peak", [name], layout))
            for layout in layouts()
        }
    return found


if __name__ == "__main__":
    main()
