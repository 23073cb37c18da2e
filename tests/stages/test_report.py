"""The page: its numbers are the tables', it needs no network, and it works in a real browser, for a keyboard too."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ddpm import artifacts
from stages import comparisons, report
from stages.analysis.answer import Answer
from stages.analysis.runs import kept_runs, other_seeds
from stages.analysis.tables import p_value
from stages.support import settings
from stages.support.cells import Cell
from tests.browser import chromium
from tests.committed import only_as_committed
from tests.conftest import ROOT
from tests.stage_runs import run

SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@pytest.fixture
def page_file(aggregated: Path) -> Path:
    for name in ("conf/claims.yaml", "conf/comparisons.yaml", "conf/networks.yaml"):
        artifacts.write_bytes(aggregated / name, (ROOT / name).read_bytes())
    # this study is too small for the claims, so the page shows the committed ones
    committed = artifacts.read_json(ROOT / "metrics/claims.json")
    other = {"runs": ["x"], "T": [50, 800], "seeds": [3, 4], "claims": committed["claims"]}
    artifacts.write_json(Path("metrics/claims.json"), committed | {"networks": {"another network": other}})
    artifacts.write_bytes(Path("metrics/variance.json"), (ROOT / "metrics/variance.json").read_bytes())
    run(comparisons)
    run(report)
    return aggregated / report.TARGET


def test_whole_page(page_file: Path) -> None:
    text = page_file.read_text()
    assert page_file.stat().st_size < 5_000_000
    assert not re.search(r'(src|href)="(?!data:|#)', text), "it points outside itself"
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+|https://matplotlib\.org/", "", text)
    for row in artifacts.read_csv(Path("metrics/fid_of_T.csv")):
        assert f"<td>{row['fid']:.3f}</td>" in text
    found = artifacts.read_json(Path("metrics/claims.json"))["claims"]
    assert len(found) == 12
    assert all(claim["plain"] in text for claim in found.values() if not set("'<&>") & set(claim["plain"]))
    lines = "".join(text.splitlines())
    for claim in found.values():
        p = "" if claim["n"] == 1 else f"<br>{p_value(claim['adjusted_p']).replace('<', '&lt;')}"  # 1: arithmetic
        seeds = f"<br>{claim['seeds_needed']}" if claim["verdict"] == "undecided" else ""
        assert f"{claim['verdict']}</span>{p}{seeds}</td><td>{claim['plain'][:6]}" in lines
    assert re.search(r"another network<br>\s*T = 50, 800; seeds 3, 4", text)
    for part in artifacts.read_json(Path("metrics/variance.json"))["components"]:
        assert f"<td>{math.exp(math.sqrt(part['variance'])):.3f}</td>" in text
    assert "on cosine by 100" in text
    run(report)
    assert page_file.read_text() == text  # equal inputs, equal bytes


def test_a_number_that_is_absent_is_an_empty_place(page_file: Path) -> None:
    rows = artifacts.read_csv(Path("metrics/fid_of_T.csv"))
    absent = {"kid": None, "fid_infinity_error": None, "loss_simple": None}
    artifacts.write_csv(Path("metrics/fid_of_T.csv"), [row | absent for row in rows])
    run(report)
    assert page_file.read_text().count(f"<td>{rows[0]['fid_infinity']:.3f}</td>\n<td></td>") == 1


@only_as_committed
def test_the_answer_is_the_readmes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the committed study; the small one of the other tests has no confirmatory seed."""
    monkeypatch.chdir(ROOT)
    params, runs = settings.load(), kept_runs()
    rows, audits = (artifacts.read_csv(Path("metrics") / f"{name}.csv") for name in ("fid_of_T", "schedules"))
    every = [*rows, *other_seeds(params, runs, any_sampler=True)]
    found = report.confirmatory(params, runs, every, audits, artifacts.read_json(Path("metrics/claims.json")))
    readme = (ROOT / "README.md").read_text()
    said = re.search(r"<!-- begin answer -->\n\*\*Answer\*\* \((.*?)\):\n(.*?)\n<!-- end answer -->", readme, re.DOTALL)
    assert said
    assert " ".join(said[1].split()) == found["answer"].basis
    assert [" ".join(point.split()) for point in re.split(r"\n\d\. ", said[2])[1:]] == found["answer"].points
    table = re.search(r"<!-- begin by-network -->\n(.*?)\n<!-- end by-network -->", readme, re.DOTALL)
    assert table
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]
    assert [found["header"], *found["networks"]] == [lines[0], *lines[2:]]
    assert len(lines) > 3


def test_the_page_shows_the_answer(page_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"answer": Answer("of 2 < 3 seeds", ["point one", "point two"]), "header": ["Network", "FID"]}
    monkeypatch.setattr(report, "confirmatory", lambda *_: made | {"networks": [["a network", "1 to 2"]]})
    run(report)
    text = "".join(page_file.read_text().splitlines())
    assert "<p>of 2 &lt; 3 seeds:</p><ol><li>point one</li><li>point two</li></ol>" in text
    assert '<th scope="col">Network</th><th scope="col">FID</th>' in text
    assert '<th scope="row">a network</th><td>1 to 2</td>' in text
    assert "with the exploratory seeds" in text


def test_without_confirmatory_seeds_there_is_no_answer(page_file: Path) -> None:
    text = page_file.read_text()
    assert "Each range is from the model" not in text
    assert "with the exploratory seeds" not in text
    assert "is best at T = " in text


def test_gains_are_extremes_whatever_the_order_of_T() -> None:
    audits = [{"schedule": "linear", "error_gain": value} for value in (1.02, 1.12, 1.01)]
    audits += [{"schedule": "cosine", "error_gain": value} for value in (100.0, None, 100.0)]
    assert report.gains(audits, "error_gain") == "on linear by 1.01 to 1.12, on cosine by 100 to infinity"


def test_what_identifies_a_study_is_not_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    params, rows = settings.load(), artifacts.read_csv(Path("metrics/fid_of_T.csv"))
    claims = {"claims_yaml_sha256": "0"}
    other = params.model_copy(update={"seed": "7", "grid": params.grid.model_copy(update={"seed": [7]})})
    other = other.model_copy(update={"chains": params.chains.model_copy(update={"seed": 7})})
    longer = params.model_copy(update={"train": params.train.model_copy(update={"epochs": 6})})
    ours, same, changed = (report.identity(found, rows, claims) for found in (params, other, longer))
    assert ours == same
    assert ours["sha256 of the parameters"] != changed["sha256 of the parameters"]


def test_chain_ends_in_the_cells_own_samples(page_file: Path) -> None:
    frames = artifacts.read_npy(Cell("linear", 20, 0).chain)
    assert frames.shape == (7, 4, 28, 28)
    samples = artifacts.read_npy(Cell("linear", 20, 0).samples("ancestral"))
    assert abs(frames[-1].astype(int) - samples[:4]).max() <= 1  # another batch size: a rounding


def test_nothing_can_leave_the_script() -> None:
    assert report.in_script({"a": "</script><b>"}) == '{"a": "\\u003c/script>\\u003cb>"}'


@pytest.fixture
def opened(page_file: Path) -> Iterator[tuple[Any, list[str]]]:
    said: list[str] = []
    with chromium() as browser:
        context = browser.new_context(offline=True)  # type: ignore[attr-defined]
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(page_file.as_uri())
        yield page, said


def test_in_a_browser(opened: tuple[Any, list[str]], tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page, said = opened
    before = page.get_attribute("#grid", "src")
    assert page.inner_text("#cell").startswith("linear, T = 20, ancestral: FID ")
    page.select_option("#schedule", "cosine")
    page.focus("#T")
    page.keyboard.press("ArrowRight")
    page.select_option("#sampler", "clipped")
    assert page.inner_text("#cell").startswith("cosine, T = 30, clipped: FID ")
    assert page.get_attribute("#grid", "src") != before
    assert page.get_attribute("#grid", "alt") == "Samples of cosine, T = 30, clipped"

    page.wait_for_function("document.getElementById('moment').textContent === 'x_0'")
    pixels = "() => [...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 28, 28).data].join()"
    digits = page.evaluate(pixels)
    page.focus("#frame")
    page.keyboard.press("Home")
    assert page.inner_text("#moment") == "noise"
    assert page.evaluate(pixels) != digits
    page.click("#play")
    assert page.inner_text("#play") == "Pause"
    page.wait_for_function("document.getElementById('play').textContent === 'Play'")
    assert page.evaluate(pixels) == digits

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for name, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"wider than a {name}"
            assert len(page.screenshot(path=tmp_path / f"{name}-{scheme}.png")) > 10_000
        found = Axe().run(page).response["violations"]
        assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
    assert said == []
