"""Records: an object with its names, and a line for all other JSON."""

from pathlib import Path

import pytest

from ddpm.errors import StudyError
from stages.support.records import read_record


def test_an_object_with_its_names(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"claims": {}, "seeds": [3]}')
    assert read_record(tmp_path / "a.json", "claims", "seeds") == {"claims": {}, "seeds": [3]}


@pytest.mark.parametrize(
    ("text", "says"),
    [("[]", "not a JSON object"), ("3", "not a JSON object"), ("{}", "lacks 'claims'"), ("{", "not JSON: ")],
)
def test_other_json_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(StudyError, match=f"^{path}: {says}") as error:
        read_record(path, "claims", hint="run it again")
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("run it again") or text == "{"
