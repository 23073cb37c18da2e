"""The baseline is what its name says: distances of real images, block by block."""

import numpy as np
import pytest

from ddpm.quality.frechet import frechet_distance
from stages.baseline import measure

RNG = np.random.default_rng(5)
REAL = {name: RNG.normal(size=(rows, 6)) for name, rows in (("reference", 400), ("floor", 250), ("test", 100))}


def test_the_baseline_is_the_mean_over_whole_blocks() -> None:
    found = measure(REAL, 100)
    blocks = REAL["floor"][:100], REAL["floor"][100:200]  # 50 are left over
    distances = [frechet_distance(block, REAL["reference"]) for block in blocks]
    assert found["fid_floor_blocks"] == 2
    assert found["fid_floor"] == pytest.approx(np.mean(distances))
    assert found["fid_floor_std"] == pytest.approx(abs(distances[0] - distances[1]) / np.sqrt(2))
    at_equal_n = [frechet_distance(block, REAL["reference"][:100]) for block in blocks]
    assert found["fid_equal_n_floor"] == pytest.approx(np.mean(at_equal_n))
    assert found["fid_test_images"] == pytest.approx(frechet_distance(REAL["test"], REAL["reference"]))


def test_too_few_test_images_have_no_distance() -> None:
    assert "fid_test_images" not in measure(REAL | {"test": REAL["test"][:99]}, 100)
