"""Real images that stand for samples are never in the reference that samples are measured against."""

from hypothesis import given
from hypothesis import strategies as st

from stages.inputs.real_images import order
from stages.support.settings import Reference


@given(st.integers(2, 50), st.integers(2, 50), st.integers(0, 50))
def test_reference_and_floor_are_disjoint_and_always_the_same(images: int, floor: int, others: int) -> None:
    wanted, available = Reference(images=images, floor_images=floor, test_images=2), images + floor + others
    first, second = (indices.tolist() for indices in order(wanted, available))
    assert (len(first), len(second)) == (images, floor)
    assert len({*first, *second}) == images + floor
    assert {*first, *second} <= set(range(available))
    assert [indices.tolist() for indices in order(wanted, available)] == [first, second]
