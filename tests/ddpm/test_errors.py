"""An error says where, what and the hint, in one line."""

from ddpm.errors import StudyError


def test_line() -> None:
    assert str(StudyError("is broken", where="a.json", hint="delete it")) == "a.json: is broken; delete it"
    assert str(StudyError("is broken")) == "is broken"
