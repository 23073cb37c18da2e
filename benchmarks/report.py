"""results.json -> results.md: ratios first, each the median of its rounds with the smallest and largest.

And quality.json -> quality.md: what each reaches for its time, and for its images.
"""

import statistics
from pathlib import Path
from typing import Any

from benchmarks.measure import best, ratio

PATH = Path("benchmarks/results.md")
QUALITY = Path("benchmarks/quality.md")
# multiply-adds of Inception-v3 up to its 2048-d pool at 299 px (torchvision's convolutions counted), times 2
INCEPTION_FLOP = 11.4e9


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(*rows: tuple[object, ...]) -> list[str]:
    """A table in Markdown, the header first, and an empty line."""
    head, *body = rows
    return [_row(*head), _row(*["---"] * len(head)), *(_row(*row) for row in body), ""]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def side_by_side(found: dict[str, Any]) -> list[str]:
    """Sections on training, sampling and features, each with its rates."""
    sections = {
        "training": ("Training, batch 128", "images/s"),
        "sampling": ("Sampling, 100 images", "image steps/s"),
        "features": ("Inception features", "images/s"),
    }
    return [
        line for part, (title, unit) in sections.items() for line in (f"## {title}", "", *_rates(found[part], unit))
    ]


def _rates(section: dict[str, Any], unit: str) -> list[str]:
    """Every case in both layouts, and each of ours against it, each in the layout that suits it best."""
    ours = [case for case in section if case.startswith("ours")]
    layouts = [key for key in section[ours[0]] if key != "peak_rss_mib"]
    head = (*(f"{unit}, {name}" for name in layouts), *(f"{name}, against it" for name in ours))
    rows: list[tuple[object, ...]] = [("case", *head, "peak RSS, MiB")]
    for case, rates in section.items():
        against = ["" if case in ours else _ratio(best(section[name]), best(rates)) for name in ours]
        medians = (_number(statistics.median(rates[name])) for name in layouts)
        rows.append((case, *medians, *against, rates["peak_rss_mib"]))
    return table(*rows)


def _ratio(ours: list[float], theirs: list[float]) -> str:
    middle, low, high = ratio(ours, theirs)
    return f"**{_number(middle)}** ({_number(low)} to {_number(high)})"


def _distances(found: dict[str, Any]) -> list[str]:
    rows: list[tuple[object, ...]] = [("n", "route", "seconds", "ours against it", "value")]
    for n, routes in found.items():
        for name, route in routes.items():
            against = "" if name == "ours" else f"**{_number(route['seconds'] / routes['ours']['seconds'])}**"
            rows.append((n, name, _number(route["seconds"]), against, f"{route['value']:.6f}"))
    return table(*rows)


def _pipeline(found: dict[str, Any]) -> list[str]:
    no_op = found["no_op_seconds"]
    told = f"{no_op:.1f} s" if no_op else "not measured, the study has not run here"
    lines = [f"`dvc repro` when nothing changed: {told}.", ""]
    starts = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in found["start_seconds"].items())
    lines += [f"Starting a stage's process, seconds: {starts}.", ""]
    rows: list[tuple[object, ...]] = [
        ("stage", "runs", "seconds in all", "items a second and process", "peak RSS, MiB")
    ]
    for stage, row in found["breakdown"].items():
        speed, peak = _number(row["items"] / row["seconds"]), row["peak_rss_mib"] or "not recorded"
        rows.append((stage, row["runs"], _number(row["seconds"]), speed, peak))
    return lines + table(*rows)


def on_machine(machine: dict[str, Any]) -> str:
    """When, where and with which packages something was measured."""
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    return (
        f"on {machine['date']}: {machine['processor']}, {machine['cores']} cores, GPU: {machine['gpu'] or 'none'};"
        f" Python {machine['python']}, {packages}."
    )


def write_quality(found: dict[str, Any]) -> None:
    """The page of quality at equal time and equal images."""
    default = found["ours, default epochs"][-1]
    rows: list[tuple[object, ...]] = [("network", "stopped", "seconds of training", "images", "FID", "digits distance")]

    def add(name: str, stopped: str, point: dict[str, float] | None) -> None:
        values = ("seconds", "images", "fid", "digits_distance")
        told = [_number(point[value]) for value in values] if point else ["not reached", "", "", ""]
        rows.append((name, stopped, *told))

    add("ours", "after one epoch", found["ours, one epoch"][0])
    add("ours", "after the default epochs", default)
    for name, points in found.items():
        if "equal time" in points:
            add(name, "after as many seconds as ours by default", points["equal time"])
            add(name, "after one epoch", points["one epoch"])
            reached = points["ours, as soon as its FID is that of one epoch"]
            add("ours", f"as soon as its FID is that of {name}", reached)
    lines = [
        "# Quality at equal time, and at equal images",
        "",
        f"Written by `make bench-quality` {on_machine(found['machine'])}",
        "",
        "One training each, all cores, peers in fp32 as they come; 500 samples in 50 calls of the network from averaged"
        " weights, both distances against the study's reference. FID of 500 samples is larger than of 1,000. On its way"
        " to the default epochs ours was scored eight times per epoch.",
        "",
        *table(*rows),
    ]
    QUALITY.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _share_of_peak(found: dict[str, Any]) -> tuple[str, float]:
    """The layout in which Inception is fastest, and its share of the peak there.

    The peak is the fastest fp32 kernel of the same processes and threads, be it a matrix product or a convolution: on
    some processors one of the two runs at half the rate of the other, and a share of that one would say nothing.
    """
    rates = {
        layout: statistics.median(values)
        for layout, values in found["features"]["ours, 2048-d at 299 px"].items()
        if layout != "peak_rss_mib"
    }
    layout = max(rates, key=lambda name: rates[name])
    peak = max(rates[layout] for case, rates in found["peak"].items() if case.startswith("float32"))
    return layout, rates[layout] * INCEPTION_FLOP / peak


def write(found: dict[str, Any]) -> None:
    """The whole page."""
    layout, share = _share_of_peak(found)
    fastest = {case: max(rates.values()) for case, rates in found["peak"].items()}
    lines = [
        "# Speed, side by side",
        "",
        f"Written by `make bench` {on_machine(found['machine'])}",
        "",
        "Every case runs in processes of its own, in turn with the others: one process on all cores, and one a core."
        " Ratios compare each case in the layout that suits it best; in brackets smallest and largest of the rounds.",
        "",
        *side_by_side(found),
        f"2048-d at 299 px in fp32 reaches {share:.0%} of what the fastest fp32 kernel measured here does in the same"
        f" layout ({layout}). Rates of the kernels,"
        f" GFLOP/s: {', '.join(f'{case} {_number(rate / 1e9)}' for case, rate in fastest.items())}.",
        "",
        "## Frechet distance, d = 2048",
        "",
        *_distances(found["distances"]),
        "## The pipeline",
        "",
        *_pipeline(found),
    ]
    PATH.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
