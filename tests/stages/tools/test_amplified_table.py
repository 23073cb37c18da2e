"""The table of errors: ranges of the models of each row, and the largest errors last."""

from stages.analysis.amplified import OURS, Model
from stages.tools.amplified_table import HEADER, by_setting

MODELS = [
    Model(OURS, "cosine", 50, 3, 100.0, 1.2, 50.0, 3.0, 1.0),
    Model(OURS, "cosine", 50, 4, 100.0, 0.9, 50.0, 2.0, 1.0),
    Model(OURS, "linear", 50, 3, 0.2, 0.01, 34.0, 0.9, 0.9),
    Model("v", "cosine", 50, 3, 100.0, 0.02, 34.0, 0.8, None),
    Model("v", "linear", 50, 3, 0.2, 0.01, 34.0, 0.8, None),
]


def test_a_row_a_setting_and_schedule() -> None:
    header, lines = by_setting(MODELS)
    assert header == HEADER
    assert lines == [
        [f"{OURS}, linear", "1", "0.20", "0.01", "0.90", "1.00"],
        ["v, cosine", "1", "100", "0.02", "0.80", ""],
        [f"{OURS}, cosine", "2", "100", "0.90 to 1.20", "2.00 to 3.00", "2.00 to 3.00"],
    ], "a small gain has a row with this study's setting alone"


def test_no_model_is_no_row() -> None:
    assert by_setting([]) == (HEADER, [])
