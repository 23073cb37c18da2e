"""What the stage ``train`` keeps."""

from pathlib import Path

import numpy as np

from ddpm import artifacts
from stages import schedules, train
from tests.conftest import edit_params
from tests.stage_runs import AXES, CELL, run


def test_the_model_is_the_average_of_the_weights(tiny_study: Path) -> None:
    """The average changes nothing in the training, so that the logs are equal; what is kept is not the last weights."""
    run(schedules)
    kept, logs = [], []
    for decay in (0.0, 0.9):
        edit_params(tiny_study, train={"ema_decay": decay})
        run(train, *AXES)
        kept.append(artifacts.read_tensors(CELL.model)[0])
        logs.append(CELL.log.read_bytes())
    assert logs[0] == logs[1]
    last, average = kept
    assert last.keys() == average.keys()
    assert sum(not np.array_equal(last[name], average[name]) for name in last) > len(last) / 2
