"""A cell of the grid, its name, and the paths of its files relative to the repository root, where stages run."""

from dataclasses import dataclass
from pathlib import Path

RAW = Path("data/raw")
TRAIN_IMAGES = RAW / "train-images-idx3-ubyte"
TEST_IMAGES = RAW / "t10k-images-idx3-ubyte"
WEIGHTS = Path("data/weights/inception.safetensors")
REFERENCE = Path("data/features/reference.safetensors")
CLASSIFIER = Path("data/weights/classifier.safetensors")
DIGITS = Path("data/features/digits.safetensors")
RESULTS = Path("data/results")
BASELINE = RESULTS / "baseline.json"
GRID = Path("data/grid.json")
METRICS = Path("metrics")
FIGURES = METRICS / "figures"


@dataclass(frozen=True)
class Cell:
    """One trained model: a schedule, its number of steps, and the seed that names all its randomness."""

    schedule: str
    T: int
    seed: int

    def __str__(self) -> str:
        return f"{self.schedule}-{self.T}-{self.seed}"

    @property
    def table(self) -> Path:
        """beta_1 .. beta_T, float64."""
        return Path(f"data/schedules/{self.schedule}-{self.T}.npy")

    @property
    def model(self) -> Path:
        """EMA weights and what is needed to use them."""
        return Path(f"data/models/{self}.safetensors")

    @property
    def log(self) -> Path:
        """Training loss, one line per step."""
        return Path(f"data/logs/{self}.jsonl")

    @property
    def chain(self) -> Path:
        """Steps of its reverse process."""
        return Path(f"data/chains/{self}.npy")

    @property
    def first_step(self) -> Path:
        """Samples from the same noise by the samplers that isolate the first reverse step, by sampler."""
        return Path(f"data/chains/{self}-first-step.safetensors")

    @property
    def heldout(self) -> Path:
        """Its losses on test images."""
        return RESULTS / "heldout" / f"{self}.json"

    @property
    def audit(self) -> Path:
        """Audit of its schedule."""
        return RESULTS / "schedules" / f"{self.schedule}-{self.T}.json"

    @property
    def ideal(self) -> Path:
        """FID with the optimal denoiser instead of the network."""
        return RESULTS / "ideal" / f"{self.schedule}-{self.T}.json"

    def samples(self, sampler: str) -> Path:
        """Generated images, uint8 ``[n, 28, 28]``."""
        return Path(f"data/samples/{self}-{sampler}.npy")

    def features(self, sampler: str) -> Path:
        """Their features."""
        return Path(f"data/features/{self}-{sampler}.safetensors")

    def metrics(self, sampler: str) -> Path:
        """Their distances to real images."""
        return RESULTS / "cells" / f"{self}-{sampler}.json"
