"""A row a network: ranges of single models, and the ratios at the T that all networks share."""

import pytest

from ddpm.errors import StudyError
from stages.analysis import by_network as module
from stages.analysis.by_network import by_network, confirmed
from stages.support import settings
from tests.stages.analysis.planted_fids import rows


def test_a_row_a_network() -> None:
    halved = {("cosine", 800): 0.5}
    there = [row | {"fid": row["fid"] * halved.get((row["schedule"], row["T"]), 1)} for row in rows(3, 4, 5)]
    there = [row for row in there if row["sampler"] != "clipped-first"]
    two = [row for row in there if row["seed"] < 5]
    no_sigmoid = [row for row in there if row["schedule"] != "sigmoid"]
    apart = [row for row in rows(3, 4, 5) if row["T"] == (50 if row["schedule"] == "cosine" else 800)]
    networks = {"own": rows(3, 4, 5), "other": there, "few": two, "partial": no_sigmoid}
    header, lines = by_network(networks, 0.95)
    assert header[1:4] == ["Linear, no clip", "Sigmoid, no clip", "Cosine, no clip"]
    assert {len(line) for line in lines} == {len(header)}
    own, other, few = lines
    assert own[:2] == ["own (3 seeds, T = 50, 800)", "1.03 to 1.58"]
    assert own[2:6] == ["2.06 to 3.15", "3.09 to 4.73", "3.71 to 5.67", "3.40 to 5.20"]
    assert own[-1] == "1.50 at T = 50; 1.50 at T = 800"
    assert other[4] == "not run"
    assert other[-1] == "1.50 at T = 50; 0.75 at T = 800"
    assert few[0] == "few (2 seeds, T = 50, 800)"
    assert few[-1] == "1.06, mean over T"
    (last,) = by_network({"apart": apart}, 0.95)[1]
    assert last[-1] == "", "no T has both"


def test_a_further_schedule_takes_no_seed_away() -> None:
    further = [row | {"schedule": "linear-ho"} for row in rows(3) if row["schedule"] == "linear"]
    assert by_network({"own": rows(3, 4, 5) + further}, 0.95) == by_network({"own": rows(3, 4, 5)}, 0.95)


def test_the_ratios_of_all_networks_are_at_the_T_that_they_share() -> None:
    few_T = [row for row in rows(3, 4, 5) if row["T"] == 50]
    _, lines = by_network({"own": rows(3, 4, 5), "other": few_T}, 0.95)
    assert [line[-1] for line in lines] == ["1.50 at T = 50"] * 2


def test_other_seeds_are_beside_the_range() -> None:
    once = [row for row in rows(3, 4, 5) if row["seed"] == 3 or row["sampler"] != "clipped-first"]
    (line,) = by_network({"own": once}, 0.95)[1]
    assert line[3:6] == ["3.09 to 4.73", "3.71 to 5.56 (seed 3)", "3.40 to 5.20"]
    of_cosine = [row for row in rows(3, 4, 5, 6, 7) if row["seed"] < 6 or row["schedule"] == "cosine"]
    apart = [row for row in of_cosine if row["seed"] in (3, 5, 6) or row["sampler"] != "clipped-first"]
    (line,) = by_network({"own": apart}, 0.95)[1]
    assert line[0] == "own (3 seeds, T = 50, 800)"
    assert line[1] == "1.03 to 1.58"
    assert line[3].endswith(" (seeds 3 to 7)")
    assert line[4].endswith(" (seeds 3, 5, 6)")


def test_a_seed_counts_by_its_cells_without_the_clip() -> None:
    clipped_only = [row for row in rows(6) if row["sampler"] != "ancestral"]
    (line,) = by_network({"own": rows(3, 4, 5) + clipped_only}, 0.95)[1]
    assert line[0] == "own (3 seeds, T = 50, 800)"


def test_the_ratio_is_of_the_seeds_of_the_row() -> None:
    of_two = [row | {"fid": 9 * row["fid"]} for row in rows(6) if row["schedule"] == "cosine"]
    of_two += [row for row in rows(6) if row["schedule"] == "sigmoid"]
    (line,) = by_network({"own": rows(3, 4, 5) + of_two}, 0.95)[1]
    assert line[-1] == "1.50 at T = 50; 1.50 at T = 800"


def test_other_networks_have_the_seeds_and_T_of_their_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"a": rows(3, 4, 5), "without seeds": rows(3)}
    monkeypatch.setattr(module, "rows_by_network", lambda *_: found)
    verdicts = {"a": {"seeds": [3, 5], "T": [800]}, "without seeds": {"seeds": [], "T": [50]}}
    params = settings.Params.model_construct()
    (name, chosen), *more = confirmed(params, [], {"networks": verdicts}).items()
    assert (name, more) == ("a", [])
    assert {(row["seed"], row["T"]) for row in chosen} == {(3, 800), (5, 800)}
    assert len(chosen) == 18
    with pytest.raises(StudyError, match=r"names the network 'b', which conf/networks.yaml lacks.*dvc repro claims"):
        confirmed(params, [], {"networks": verdicts | {"b": verdicts["a"]}})
