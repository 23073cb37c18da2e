"""The stages of the science: the digit classifier, held-out losses, corruptions, the optimal denoiser, the audit."""

import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ddpm import artifacts
from ddpm.diagnostics.corruptions import CORRUPTIONS
from ddpm.errors import StudyError
from ddpm.schedules import audit as audit_of
from ddpm.schedules import make_schedule
from stages import aggregate, digits, heldout, ideal, schedules
from stages.support.cells import CLASSIFIER, DIGITS, Cell
from stages.tools import audit
from stages.tools.audit import remarks
from tests.conftest import edit_params
from tests.stage_runs import AXES, CELL, run


def test_what_the_grid_leaves_behind(whole_grid: Path) -> None:
    assert set(artifacts.read_json(Path("data/results/classifier.json"))) == {"test_accuracy", "good_enough"}
    features = artifacts.read_tensors(DIGITS)[0]
    assert {name: part.shape for name, part in features.items()} == {
        "reference": (16, 128), "floor": (16, 128), "test": (8, 128),
    }  # fmt: skip
    rows = artifacts.read_csv(Path("metrics/digits.csv"))
    assert len(rows) == 8
    assert {row["sampler"] for row in rows} == {"ancestral", "clipped"}
    assert all(0 <= row["confidence"] <= 1 and 0 <= row["classes_p"] <= 1 for row in rows)
    assert all(row["digits_distance"] > 0 for row in rows)
    corrupted = artifacts.read_csv(Path("metrics/validation.csv"))
    assert [(row["corruption"], row["severity"]) for row in corrupted] == [
        (name, level) for name in CORRUPTIONS for level in (0, 0.25, 0.5)
    ]
    ranked = artifacts.read_json(Path("metrics/ranking.json"))
    # 8 samples per cell: the subset is all of them, in another order
    assert ranked["tau"] == {"ancestral": [1.0] * 3, "clipped": [1.0] * 3}
    cell = artifacts.read_json(Cell("linear", 20, 0).metrics("ancestral"))
    assert {"fid_infinity", "fid_infinity_error", "kid_error", "precision", "recall"} <= set(cell)


def test_heldout_losses_do_not_depend_on_the_training_seed_but_by_the_model(whole_grid: Path) -> None:
    cell, same = Cell("linear", 20, 0), Cell("linear", 20, 7)
    first = artifacts.read_json(cell.heldout)
    assert 0.05 < first["loss_simple"] < 1.1  # a network that says 0 has 1, and four steps have learnt next to nothing
    assert list(first["loss_at_log_snr"]) == ["-2.0", "0.0", "2.0"]
    assert first["loss_common"] == pytest.approx(np.mean(list(first["loss_at_log_snr"].values())))
    artifacts.write_bytes(same.model, artifacts.read_bytes(cell.model))
    run(heldout, *AXES[:4], "--seed", "7")
    assert artifacts.read_json(same.heldout) == first


def test_levels_beyond_a_schedule_are_null_not_invented(whole_grid: Path) -> None:
    edit_params(whole_grid, heldout={"log_snr": [-2, 0, 20]})
    run(heldout, *AXES)
    found = artifacts.read_json(Cell("linear", 20, 0).heldout)
    assert (found["loss_common"], found["loss_at_log_snr"]) == (None, None)
    assert found["loss_simple"] > 0


def test_ideal_network_scores_both_samplers(whole_grid: Path) -> None:
    run(ideal, "--schedule", "linear", "--T", "20")
    found = artifacts.read_json(CELL.ideal)
    assert set(found["fid"]) == {"ancestral", "clipped"}
    assert all(0 < distance < math.inf for distance in found["fid"].values())
    assert found["samples"] == 8


def test_digits_refuses_a_file_that_is_no_classifier(whole_grid: Path) -> None:
    tensors, metadata = artifacts.read_tensors(CLASSIFIER)
    artifacts.write_tensors(CLASSIFIER, tensors | {"head.weight": np.zeros((3, 3), np.float32)}, metadata)
    with pytest.raises(StudyError, match="not the classifier"):
        run(digits)


@pytest.mark.parametrize(
    ("name", "T", "says"),
    [
        ("cosine", 50, "multiplies x_T by 100 and the network's error by 100"),
        ("linear", 50, "It does not end in pure noise: sqrt(alpha_bar_T) is 0.068"),
        ("sigmoid", 800, "Only 27% of the steps"),
        ("linear-ho", 1000, "No issues found."),
        ("linear", 12, "multiplies x_T by 2.45 and the network's error by 2.04"),
        ("linear-zero-snr", 50, "alpha_bar_T is 0, so epsilon says nothing of x_0 at t = T"),
    ],
)
def test_audit_says_in_words_what_is_wrong(tiny_study: Path, name: str, T: int, says: str) -> None:
    printed = CliRunner().invoke(audit.app, ["--schedule", name, "--T", str(T)]).stdout
    assert says in printed.replace("\n", " ")
    assert "sqrt(alpha_bar_T)" in printed


def test_audit_counts_wasted_steps() -> None:
    said = remarks(audit_of(make_schedule("sigmoid", 800)), 800)
    assert any(sentence.startswith("115 of 800 steps") for sentence in said)


def test_a_schedule_that_ends_in_pure_noise_is_aggregated(whole_grid: Path) -> None:
    """alpha_T = 0: its first reverse step has no finite gain, and no point in the figure of its error."""
    run(aggregate)
    before = artifacts.read_bytes(Path("metrics/figures/amplified_error.png"))
    zero = {"kind": "linear", "beta_min": 1e-5, "beta_max": 0.01, "zero_terminal_snr": True}
    edit_params(whole_grid, schedules={"linear": zero})
    run(schedules)
    run(aggregate)
    audits = artifacts.read_csv(Path("metrics/schedules.csv"))
    assert {row["error_gain"] is None for row in audits if row["schedule"] == "linear"} == {True}
    assert {row["error_gain"] is None for row in audits if row["schedule"] != "linear"} == {False}
    assert artifacts.read_bytes(Path("metrics/figures/amplified_error.png")) != before
