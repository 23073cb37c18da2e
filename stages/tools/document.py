"""Write the tables of README.md and docs/findings.md anew, from the committed metrics.

A table stands between the comments `begin NAME` and `end NAME`; the rest of a document is left as it is.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import typer
from scipy import stats

from ddpm import artifacts
from ddpm.errors import StudyError
from stages.analysis.amplified import models
from stages.analysis.answer import HERE, answer, lacking
from stages.analysis.by_network import by_network, confirmed
from stages.analysis.named_networks import networks_of_runs, rows_by_network
from stages.analysis.ratios import metric_name
from stages.analysis.runs import beside_the_grid, kept_runs, other_seeds, own_table
from stages.analysis.tables import Row, p_value, results
from stages.support import settings
from stages.support.cells import METRICS
from stages.support.cli import command_line
from stages.support.records import read_record
from stages.tools.amplified_table import by_setting
from stages.tools.ratio_tables import RATIOS, beyond, by_epochs, by_metric
from stages.tools.verdict_tables import measured, verdicts

app = typer.Typer(add_completion=False)

WIDTH = 130  # of the documents' lines
DOCUMENTS = (Path("README.md"), Path("docs/findings.md"))


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _mean_and_range(values: Any) -> str:
    low, high = f"{values.min():.2f}", f"{values.max():.2f}"
    return f"{stats.gmean(values):.2f}" + (f" ({low} to {high})" if low != high else "")


def _seeds(by_T: Mapping[int, Any]) -> str:
    """How many seeds there are, and where there are fewer."""
    counts = {T: len(values) for T, values in by_T.items()}
    fewer = sorted({count for count in counts.values() if count < max(counts.values())})
    told = (f"{few} at T = {', '.join(str(T) for T, count in counts.items() if count == few)}" for few in fewer)
    return "; ".join([str(max(counts.values())), *told])


def fids(rows: Sequence[Row], samplers: Sequence[str], schedules: Sequence[str]) -> str:
    """Geometric mean FID over the seeds, and the range: a row a schedule and sampler, a column a T."""
    table = results(rows)
    all_T = sorted(table["T"].unique().tolist())
    lines = []
    for schedule in schedules:
        for sampler in samplers:
            chosen = table[(table["schedule"] == schedule) & (table["sampler"] == sampler)]
            if len(chosen):
                by_T = {T: group["fid"] for T, group in chosen.groupby("T")}
                cells = (_mean_and_range(by_T[T]) if T in by_T else "" for T in all_T)
                lines.append([f"{schedule}, {sampler}", _seeds(by_T), *cells])
    return markdown(["Schedule, sampler", "Seeds", *(f"T = {T}" for T in all_T)], lines)


def of_all_samplers(rows: Sequence[Row]) -> list[Row]:
    """The rows of the seeds that have every sampler, so that the samplers are compared on the same models."""
    seeds = {
        sampler: {row["seed"] for row in rows if row["sampler"] == sampler}
        for sampler in {row["sampler"] for row in rows}
    }
    return [row for row in rows if all(row["seed"] in found for found in seeds.values())]


def _significance(change: Row) -> str:
    """The p-value after the correction, and what is significant in words."""
    p, verdict = change["adjusted_p"], change["verdict"]
    if p is None:
        return str(verdict)
    return p_value(p) if verdict == "not significant" else f"{verdict}, {p_value(p)}"


def changes(found: Row) -> str:
    """A row a change that has cells, the largest effects at both ends."""
    ran = {name: row for name, row in found["changes"].items() if row["ratio"] is not None}
    lines = []
    for name, row in sorted(ran.items(), key=lambda item: float(item[1]["ratio"])):
        sure = "" if row["high"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        lines.append([name, f"{row['ratio']:.3f}", sure, str(row["seeds"]), _significance(row)])
    interval = f"{100 * found['confidence']:.0f} % interval"
    header = ["Change", f"Ratio of {metric_name(found['quality'])}", interval, "Seeds", "After the correction"]
    table = markdown(header, lines)
    absent = [name for name in found["changes"] if name not in ran]
    return table + ("\n\n" + fill(f"Not run yet: {'; '.join(absent)}.", WIDTH) if absent else "")


def variance(found: Row) -> str:
    """A row a component of variance: its standard deviation as a factor on the FID, and its share."""
    lines = [
        [
            f"{part['schedule']}, T = {part['T']}",
            part["component"],
            f"{math.exp(math.sqrt(part['variance'])):.3f}",
            "" if part["share"] is None else f"{100 * part['share']:.0f} %",
        ]
        for part in found["components"]
    ]
    return markdown(["Cells", "Component", "One standard deviation, as a factor on the FID", "Share"], lines)


def of_networks(others: Mapping[str, Sequence[Row]], schedules: Sequence[str]) -> str:
    """A table of FIDs for every other network, under its name."""
    parts = []
    for name, rows in others.items():
        samplers = list(dict.fromkeys(row["sampler"] for row in rows))
        parts.append(f"{name[:1].upper()}{name[1:]}:\n\n{fids(rows, samplers, schedules)}")
    return "\n\n".join(parts) or "None has runs yet: `make campaign ONLY=norm-all` makes the first."


def _answer(of_networks: Mapping[str, Sequence[Row]], claims: Row) -> str:
    """The answer, a numbered list, or what the study lacks for it."""
    if lack := lacking(of_networks[HERE], claims):
        return f"No answer: the study lacks {lack}."
    basis, points = answer(of_networks, artifacts.read_csv(METRICS / "schedules.csv"), claims)
    lines = (fill(point, WIDTH, initial_indent=f"{n}. ", subsequent_indent="   ") for n, point in enumerate(points, 1))
    return "\n".join([fill(f"**Answer** ({basis}):", WIDTH), "", *lines])


def blocks() -> dict[str, str]:
    """Name -> text of every table that a document may have."""
    params, runs = settings.load(), kept_runs()
    claims = read_record(
        METRICS / "claims.json", "claims", "confidence", "networks", "quality", "second_opinion", "seeds"
    )
    comparisons = read_record(METRICS / "comparisons.json", "changes", "confidence", "quality")
    components = read_record(METRICS / "variance.json", "components")
    own = own_table(params)
    every = [*own, *other_seeds(params, runs, any_sampler=True)]
    late = [row for row in every if row["seed"] in claims["seeds"]]
    steps, others = of_all_samplers([row for row in late if row["schedule"] == "cosine"]), rows_by_network(params, runs)
    all_late: dict[str, Sequence[Row]] = {HERE: late, **confirmed(params, runs, claims)}
    metrics = by_metric(late, claims["confidence"]) if late else {}
    beside, after_epochs = beside_the_grid(params, runs)
    at_all_T, epochs = [*every, *beside], params.train.epochs
    of_epochs = [*(row | {"epochs": epochs} for row in every if row["sampler"] in params.grid.sampler), *after_epochs]
    return {
        "answer": _answer(all_late, claims),
        "by-network": markdown(*by_network(all_late, claims["confidence"])) if late else "",
        "verdicts": markdown(*verdicts(claims)),
        "measured": markdown(*measured(claims)),
        "fid": fids(at_all_T, params.grid.sampler, params.grid.schedule),
        "beyond": markdown(*beyond(at_all_T, params.grid.T, claims["confidence"])),
        "epochs": markdown(*by_epochs(of_epochs, epochs, claims["confidence"])),
        "first-step": fids(steps or every, list(dict.fromkeys(row["sampler"] for row in steps or every)), ["cosine"]),
        "amplified": markdown(*by_setting(models(params, own, runs, networks_of_runs()))),
        "networks": of_networks(others, params.grid.schedule),
        "metrics": markdown(["Metric", *RATIOS], ([name, *ratios] for name, ratios in metrics.items())),
        "changes": changes(comparisons),
        "variance": variance(components),
    }


def rewritten(text: str, tables: Mapping[str, str], where: str) -> str:
    """A document with its tables anew; StudyError for one that is not known, or does not end."""

    def put(found: re.Match[str]) -> str:
        name = found[1]
        if name not in tables:
            raise StudyError(f"unknown table {name!r}", where=where, hint=f"choose one of {', '.join(tables)}")
        return f"<!-- begin {name} -->\n{tables[name]}\n<!-- end {name} -->"

    new = re.sub(r"<!-- begin ([\w-]+) -->\n.*?<!-- end \1 -->", put, text, flags=re.DOTALL)
    if new.count("<!-- begin ") != len(re.findall(r"<!-- begin ([\w-]+) -->\n.*?<!-- end \1 -->", new, re.DOTALL)):
        raise StudyError("a table has no end", where=where, hint="put `<!-- end NAME -->` after it")
    return new


@app.command(help=__doc__)
def main() -> None:
    tables = blocks()
    new = {path: rewritten(artifacts.read_text(path, "restore it from Git"), tables, str(path)) for path in DOCUMENTS}
    for path, text in new.items():
        artifacts.write_bytes(path, text.encode())
        print(f"wrote the tables of {path}")


if __name__ == "__main__":
    command_line(app)
