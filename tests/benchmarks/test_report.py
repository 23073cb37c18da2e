"""results.json -> results.md, and the training clock."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import __main__ as main_of_benchmarks
from benchmarks import pipeline, quality, report
from ddpm.features.inception import empty_network
from stages.support import timing


def rates(*values: float) -> dict[str, Any]:
    return {"1 x 2 threads": list(values), "2 x 1 threads": [v / 2 for v in values], "peak_rss_mib": 700}


FOUND: dict[str, Any] = {
    "machine": {
        "processor": "CPU", "cores": 2, "gpu": None, "python": "3.11", "date": "2026-01-01", "packages": {"torch": "2"},
    },
    "peak": {
        "float32 product": {"1 x 2 threads": 228e9, "2 x 1 threads": 200e9},
        "float32 convolution": {"1 x 2 threads": 364.8e9, "2 x 1 threads": 500e9},
        "bfloat16 product": {"1 x 2 threads": 400e9},
    },
    "training": {"ours": rates(1000, 1100), "them": rates(10, 20)},
    "sampling": {"ours": rates(30, 30)},
    "features": {"ours, default extractor": rates(80, 80), "ours, 2048-d at 299 px": rates(16, 16)},
    "distances": {"1000": {"ours": {"seconds": 0.1, "value": 2.0}, "scipy sqrtm": {"seconds": 12.0, "value": 2.0}}},
    "no_op_seconds": None,
    "start_seconds": {"train": 2.04},
    "breakdown": {"train": {"runs": 15, "seconds": 3000.0, "items": 4_500_000, "peak_rss_mib": 900}},
}  # fmt: skip


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PATH", tmp_path / "results.md")
    report.write(FOUND)
    text = (tmp_path / "results.md").read_text()
    assert "| them | 15 | 7.5 | **77.5** (55 to 100) | 700 |" in text
    assert "| 1000 | scipy sqrtm | 12 | **120** | 2.000000 |" in text
    # 16 x 11.4e9 of 364.8e9: the faster kernel of the layout that Inception is fastest in, not of another layout
    assert "50% of what the fastest fp32 kernel measured here does in the same layout (1 x 2 threads)" in text
    assert "float32 product 228, float32 convolution 500, bfloat16 product 400." in text
    assert "| train | 15 | 3,000 | 1,500 | 900 |" in text
    assert "not measured, the study has not run here" in text


def test_page_of_quality(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def point(seconds: float, fid: float) -> dict[str, float]:
        return vars(quality.Point(seconds, 60_000, fid, 2 * fid))

    monkeypatch.setattr(report, "QUALITY", tmp_path / "quality.md")
    found = {
        "machine": FOUND["machine"],
        "ours, default epochs": [point(1, 9), point(100, 0.75)],
        "ours, one epoch": [point(20, 1.5)],
        "them": {
            "equal time": point(101, 8),
            "one epoch": point(700, 4),
            "ours, as soon as its FID is that of one epoch": None,
        },
    }
    report.write_quality(found)
    text = (tmp_path / "quality.md").read_text()
    assert "| ours | after the default epochs | 100 | 60,000 | 0.75 | 1.5 |" in text
    assert "| them | after as many seconds as ours by default | 101 | 60,000 | 8 | 16 |" in text
    assert "| ours | as soon as its FID is that of them | not reached |" in text


def test_inceptions_operations_are_counted() -> None:
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        empty_network("fid2015", 2048)(torch.empty(1, 3, 299, 299))
    assert counter.get_total_flops() == pytest.approx(report.INCEPTION_FLOP, rel=0.01)


def test_breakdown_takes_the_last_time_of_each_cell_of_the_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy("params.yaml", tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for seconds in (9.0, 4.0):
        timing.record("train", "linear-50-0", seconds, 100)
    timing.record("train", "linear-100-0", 6.0, 100)
    timing.record("train", "linear-100-99", 7.0, 100)
    timing.record("sample", "linear-100-0-clipped", 2.0, 100)
    assert pipeline.breakdown()["sample"]["runs"] == 1
    found = pipeline.breakdown()["train"]
    assert {key: found[key] for key in ("runs", "seconds", "items")} == {"runs": 2, "seconds": 10.0, "items": 200}
    assert found["peak_rss_mib"] > 10


def test_the_clock_stops_at_each_mark_and_at_the_end() -> None:
    stops = [lambda _, images: images >= 20, lambda _, images: images >= 45, lambda _, images: images >= 1000]
    assert [images for _, images in quality._timed(iter([10] * 6), stops)] == [20, 50, 60]


def test_one_part_alone_is_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "results.json"
    monkeypatch.setattr(main_of_benchmarks, "RESULTS", results)
    monkeypatch.setattr(main_of_benchmarks, "machine", lambda: FOUND["machine"])
    monkeypatch.setattr(main_of_benchmarks, "MEASURES", {name: lambda: 1 for name in FOUND if name != "machine"})
    monkeypatch.setattr(report, "write", lambda _: None)
    results.write_text(json.dumps(FOUND))
    main_of_benchmarks.main(["peak"])
    assert json.loads(results.read_text()) == FOUND | {"peak": 1}
    results.write_text(json.dumps(FOUND | {"machine": {"cores": 64}}))
    with pytest.raises(SystemExit, match="another machine"):
        main_of_benchmarks.main(["peak"])
    with pytest.raises(SystemExit, match="unknown part 'peek'; choose from peak, training"):
        main_of_benchmarks.main(["peek"])
