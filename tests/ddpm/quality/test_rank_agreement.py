"""Agreement of two rankings."""

from ddpm.quality.rank_agreement import kendall_tau


def test_kendall() -> None:
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1
    assert kendall_tau([1, 1, 1], [3, 2, 1]) == 0
