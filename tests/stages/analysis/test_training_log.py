"""The loss of an epoch is that of its images."""

from stages.analysis.training_log import epoch_losses


def test_each_image_weighs_the_same() -> None:
    log = [
        {"epoch": 1, "images": 32, "loss": 1.0},
        {"epoch": 1, "images": 16, "loss": 4.0},
        {"epoch": 2, "images": 8, "loss": 0.5},
    ]
    assert epoch_losses(log) == [2.0, 0.5]
