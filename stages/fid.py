"""Compute FID, KID, precision and recall of one cell's samples."""

import time

import typer

from ddpm import artifacts
from ddpm.core.device import choose
from ddpm.errors import StudyError
from ddpm.quality.scores import inception_scores
from stages.support import settings
from stages.support.cells import REFERENCE, Cell
from stages.support.cli import SamplerOption, ScheduleOption, SeedOption, TimestepsOption, command_line
from stages.support.timing import record

app = typer.Typer(add_completion=False)


@app.command(help=__doc__)
def main(schedule: ScheduleOption, timesteps: TimestepsOption, seed: SeedOption, sampler: SamplerOption) -> None:
    params, cell = settings.load(), Cell(schedule, timesteps, seed)
    started = time.monotonic()
    real, identity = artifacts.read_tensors(REFERENCE)
    generated, other = artifacts.read_tensors(cell.features(sampler))
    if identity != other:
        differ = ", ".join(sorted(key for key in identity | other if identity.get(key) != other.get(key)))
        raise StudyError(
            f"features differ from the reference's in {differ}",
            where=str(cell.features(sampler)),
            hint="run `dvc repro`",
        )
    device, wanted = choose(**params.compute.model_dump())[0], params.fid
    found = inception_scores(real["reference"], generated["samples"], wanted.kid_images, wanted.kid_block, device)
    extractor = {"extractor": identity["name"], "weights_sha256": identity["weights_sha256"]}
    artifacts.write_json(cell.metrics(sampler), found | extractor)
    record("fid", f"{cell}-{sampler}", time.monotonic() - started, len(generated["samples"]))


if __name__ == "__main__":
    command_line(app)
