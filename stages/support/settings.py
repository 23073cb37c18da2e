"""params.yaml -> typed, validated parameters. Unknown keys are errors: a misspelt parameter must not be ignored."""

import difflib
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.support import pairs
from stages.support.cells import Cell
from stages.support.fields import Fraction, Name, Positive, Seed, Steps
from stages.support.network import Network
from stages.support.strict_yaml import Strict, parse_yaml

PATH = Path("params.yaml")
COMPOSE = "correct it in conf/ and run python -m stages.tools.compose"
ABSENT = "run from the repository's root; python -m stages.tools.compose writes it"


class Grid(Strict):
    """The cells of the study: the product of the axes."""

    schedule: Annotated[list[Name], Field(min_length=1)]
    T: Annotated[list[Steps], Field(min_length=1)]
    seed: Annotated[list[Seed], Field(min_length=1)]
    sampler: Annotated[list[Name], Field(min_length=1)]

    def cells(self) -> list[Cell]:
        """The cells in the order of the axes; the sampler is not an axis of a cell."""
        return [Cell(schedule, T, seed) for schedule, T, seed in product(self.schedule, self.T, self.seed)]

    def rows(self) -> set[tuple[str, int, int, str]]:
        """Schedule, T, seed and sampler of every row of the study's table."""
        return set(product(self.schedule, self.T, self.seed, self.sampler))


class Compute(Strict):
    """Device, precision and number of CPU threads of the network's computations, on which rounding depends."""

    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "float32", "bfloat16"]
    threads: Positive


class Train(Strict):
    """See ``ddpm.training.loop.Recipe``; ``images`` are the first of MNIST's 60,000."""

    images: Annotated[int, Field(ge=1, le=60_000)]
    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    muon_learning_rate: Annotated[float, Field(ge=0)]
    warmup_steps: Annotated[int, Field(ge=0)]
    cooldown: Annotated[float, Field(ge=0, le=1)]
    adam_beta_2: Fraction
    ema_decay: Fraction


class Sample(Strict):
    """Images per cell and sampler; the batch size changes the speed, never which noise an image gets.

    ``seed`` names the noise of the samples; None: that of the training, which runs without this parameter had too.
    """

    images: Annotated[int, Field(ge=8)]
    batch_size: Positive
    seed: Annotated[int, Field(ge=0)] | None = None


class Reference(Strict):
    """Real images: the reference set, the disjoint pool of the baseline, and test images."""

    images: Annotated[int, Field(ge=2)]
    floor_images: Annotated[int, Field(ge=2)]
    test_images: Annotated[int, Field(ge=2, le=10_000)]


class Fid(Strict):
    """``kid_images``: how many reference images KID compares with, whose cost is quadratic;
    ``kid_block``: images of a block of KID, for its error.
    """

    kid_images: Annotated[int, Field(ge=4)]
    kid_block: Annotated[int, Field(ge=2)]


class Classifier(Strict):
    """See ``ddpm.classifier.ClassifierRecipe``."""

    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0)]


class Heldout(Strict):
    """Number of test images for L_simple, and for the loss at each of the log SNRs, ascending."""

    images: Annotated[int, Field(ge=2, le=10_000)]
    images_per_level: Annotated[int, Field(ge=2, le=10_000)]
    log_snr: Annotated[tuple[float, ...], Field(min_length=1)]


class Validation(Strict):
    """Real images of each corrupted set, and the severities of the corruptions, ascending."""

    images: Annotated[int, Field(ge=2)]
    levels: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=2)]


class Ideal(Strict):
    """For which T the optimal denoiser is sampled, and how many images; the cost grows with both."""

    T: Annotated[list[Steps], Field(min_length=1)]
    images: Annotated[int, Field(ge=8)]


class Chains(Strict):
    """Which cell of every schedule the report animates, how many images, and how many frames."""

    T: Steps
    seed: Seed
    images: Annotated[int, Field(ge=1, le=32)]
    frames: Annotated[int, Field(ge=2, le=100)]


class Ranking(Strict):
    """How often 32 samples are drawn from every cell."""

    draws: Positive


class Diff(Strict):
    """``log_ratio``: how much the FID of a cell may change, as a logarithm of the ratio, before `diff` exits with 1."""

    log_ratio: Annotated[float, Field(ge=0)]


class Data(Strict):
    """``name``: which data set. ``directory``: where its files and the weights are, instead of downloading; empty to
    download.
    """

    name: Literal["mnist", "fashion-mnist"]
    directory: str


class Params(Strict):
    """All parameters of the study, as composed from conf/."""

    schedule: str | int
    T: str | int
    seed: str | int
    sampler: str
    grid: Grid
    schedules: dict[str, dict[str, float | bool | str]]
    data: Data
    compute: Compute
    network: Network
    train: Train
    sample: Sample
    extractor: str
    reference: Reference
    fid: Fid
    classifier: Classifier
    heldout: Heldout
    validation: Validation
    ranking: Ranking
    ideal: Ideal
    chains: Chains
    diff: Diff

    def schedule_parameters(self, name: str) -> dict[str, Any]:
        """The numbers of one schedule; StudyError when params.yaml has no group of that name."""
        if name not in self.schedules:
            close = difflib.get_close_matches(name, self.schedules, n=1)
            known = f"known are {', '.join(self.schedules)}; add others in conf/config.yaml and run `make compose`"
            hint = f"did you mean {close[0]}? {known}" if close else known
            raise StudyError(f"no group schedules.{name}", where=str(PATH), hint=hint)
        return dict(self.schedules[name])


def flat(groups: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters under dotted names, such as ``network.channels``."""
    found: dict[str, Any] = {}
    for name, value in groups.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def parse(text: str, where: str = str(PATH), *, hint: str = COMPOSE) -> Params:
    """Validate the text of a params.yaml; StudyError that names the first wrong key."""
    return parse_yaml(Params, text, where, hint=hint)


def read(path: Path = PATH, *, absent: str = ABSENT, wrong: str = COMPOSE) -> Params:
    """Read and validate a params.yaml; ``absent`` and ``wrong`` are the hints when it cannot be read or is invalid."""
    return parse(artifacts.read_text(path, absent), str(path), hint=wrong)


def load() -> Params:
    """The study's own params.yaml, as ``read``; parameters that cannot go together are refused as well."""
    params = read()
    pairs.check(params, str(PATH))
    return params
