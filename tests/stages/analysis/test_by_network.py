"""A row a network: ranges of single models, and the ratios at the T that all networks share."""

from stages.analysis.by_network import by_network
from tests.stages.analysis.test_answer import rows


def test_a_row_a_network() -> None:
    halved = {("cosine", 800): 0.5}
    there = [row | {"fid": row["fid"] * halved.get((row["schedule"], row["T"]), 1)} for row in rows(3, 4, 5)]
    there = [row for row in there if row["sampler"] != "clipped-first"]
    two = [row for row in there if row["seed"] < 5]
    no_sigmoid = [row for row in there if row["schedule"] != "sigmoid"]
    apart = [row for row in rows(3, 4, 5) if row["T"] == (50 if row["schedule"] == "cosine" else 800)]
    networks = {"own": rows(3, 4, 5), "other": there, "few": two, "partial": no_sigmoid}
    header, lines = by_network(networks, 0.95)
    assert header[1:4] == ["Linear", "Sigmoid", "Cosine"]
    assert {len(line) for line in lines} == {len(header)}
    own, other, few = lines
    assert own[:2] == ["own (3 seeds, T = 50, 800)", "1.03 to 1.58"]
    assert own[4] == own[3] != own[1]
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
    assert line[3:6] == ["3.09 to 4.73", "3.09 to 4.63 (seed 3)", "3.09 to 4.73"]
    of_cosine = [row for row in rows(3, 4, 5, 6, 7) if row["seed"] < 6 or row["schedule"] == "cosine"]
    apart = [row for row in of_cosine if row["seed"] in (3, 5, 6) or row["sampler"] != "clipped-first"]
    (line,) = by_network({"own": apart}, 0.95)[1]
    assert line[0] == "own (3 seeds, T = 50, 800)"
    assert line[1] == "1.03 to 1.58"
    assert line[3].endswith(" (seeds 3 to 7)")
    assert line[4].endswith(" (seeds 3, 5, 6)")
