"""Images -> features -> a file that says what the features are."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from ddpm import artifacts
from ddpm.core.device import feature_batch
from ddpm.errors import StudyError
from ddpm.features import inception
from stages.support import parallel
from stages.support.cells import WEIGHTS
from stages.support.cli import progress
from stages.support.resume import Resume


class Embedder:
    """An extractor with its weights loaded.

    Args:
        name: an extractor's name.
        device: where to run, always in float32: bfloat16 moves the distance by 5 % and more.
    """

    def __init__(self, name: str, device: str) -> None:
        extractor = inception.get_extractor(name)
        tensors, metadata = artifacts.read_tensors(WEIGHTS)
        if metadata.get("weights") != extractor.weights:
            raise StudyError(
                f"holds the weights {metadata.get('weights')!r}, extractor {name} needs {extractor.weights!r}",
                where=str(WEIGHTS),
                hint="run `dvc repro weights`",
            )
        self.extractor = extractor
        self.network = inception.build(extractor, {key: torch.from_numpy(value) for key, value in tensors.items()})
        self.network.to(device)
        self.batch, self.workers = feature_batch(device), parallel.workers(device)
        digest = hashlib.sha256(artifacts.read_bytes(WEIGHTS)).hexdigest()
        self.identity = {key: str(value) for key, value in asdict(extractor).items()}
        self.identity |= {"weights_sha256": digest, "dtype": "float32"}
        self.finished: list[Resume] = []

    def __call__(self, images: torch.Tensor, label: str) -> np.ndarray:
        """uint8 ``[N, 1, 28, 28]`` -> float32 ``[N, dimensions]``, with progress; resumes after a kill."""
        pixels = hashlib.sha256(images.numpy().tobytes()).hexdigest()
        resume = Resume(label.replace(" ", "-"), self.identity | {"images": pixels}, [])
        state, _ = resume.load()
        batches = [state["features"]] if state else []
        with progress(label, len(images), "images") as advance:
            advance(sum(map(len, batches)))
            left = images[sum(map(len, batches)) :]
            for batch in parallel.in_order(self._features, left.split(self.batch) if len(left) else (), self.workers):
                batches.append(batch)
                advance(len(batch))
                if resume.due():
                    resume.save({"features": np.concatenate(batches)})
        found = np.concatenate(batches)
        resume.save({"features": found})  # until the whole stage is done, which may have more sets to come
        self.finished.append(resume)
        return found

    def _features(self, images: torch.Tensor, _: object) -> np.ndarray:
        found: np.ndarray = inception.features(self.network, self.extractor, images).numpy()
        return found

    def forget(self) -> None:
        """Drop the states of all sets: what they were needed for is on disk."""
        for resume in self.finished:
            resume.done()
        self.finished.clear()

    def write(self, path: Path, features: artifacts.Arrays) -> None:
        """Write named sets of features together with all that decided them."""
        artifacts.write_tensors(path, features, self.identity)
        self.forget()
