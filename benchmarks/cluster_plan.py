"""How far the grid's engine carries: 500 and 10,000 cells on 1 to 1,000 places, simulated from measured costs.

`python -m benchmarks.cluster_plan --measure` measures here what the head and a worker's DVC cost, with the stages'
seconds from benchmarks/results.json, and writes benchmarks/cluster_plan.json. Without the option the committed costs
are simulated, which takes seconds and gives the same numbers everywhere: benchmarks/cluster_plan.md and .png.

The simulation has four resources. Places do jobs. The scheduler hands them out one after another. The remote moves
bytes one transfer after another. The collector at the head (stages.tools.cluster) rewrites dvc.lock and pulls, in
batches; it is simulated with a batch a job as well, as it was at first.
"""

import copy
import heapq
import json
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from stages.support.cells import Cell
from stages.tools import lock
from stages.tools.jobs import cell_targets

HERE = Path(__file__).parent
COSTS, TABLE, FIGURE = HERE / "cluster_plan.json", HERE / "cluster_plan.md", HERE / "cluster_plan.png"
CELLS = (500, 10_000)
PLACES = (1, 3, 10, 30, 100, 300, 1000)
PER_WORKER = 4  # places that share a clone, and so its first copy of the inputs
BYTES_PER_SECOND = 1e8  # of the remote: a gigabit network, assumed and not measured
SCHEDULER_SECONDS = 1e-3  # for a task, by Dask's own documentation, assumed and not measured
HEAD = """# The grid on many machines, simulated

Written by `python -m benchmarks.cluster_plan` from the costs in cluster_plan.json, measured with `--measure`: a cell
takes {cell_seconds} s of one core (by results.json, measured on another day), DVC {dvc_seconds} s around it; it leaves
{cell_bytes:,.0f} bytes, and a worker first pulls {input_bytes:,.0f}; rewriting dvc.lock takes {entry_seconds} s for
each entry in it, {cell_entries} entries a cell. Assumed: a remote of {network:.0f} MB/s. Nobody has run this on 1,000
places.

![Efficiency against places](cluster_plan.png)

If results are brought one by one, dvc.lock at the head saturates first, since DVC rewrites the whole file. So they come
in batches, one rewrite for all that came meanwhile (`stages/tools/cluster.py`), and a worker's clone has a dvc.lock of
its own jobs. Thousands of cells are better split by seeds into experiments of a campaign, each with its own dvc.lock.
"""
COLUMNS = ("cells", "places", "results come", "hours", "computing", *("scheduler", "remote", "collector"), "limit")
app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Costs:
    """Costs of the default study's average cell with two samplers."""

    cell_seconds: float  # of computing on one core, by benchmarks/results.json
    dvc_seconds: float  # of `dvc repro` and `dvc push` when there is nothing to do
    entry_seconds: float  # of rewriting dvc.lock, for each entry
    pull_seconds: float  # of `dvc pull` when nothing is missing
    cell_entries: int  # in dvc.lock
    cell_bytes: float  # of outputs
    input_bytes: float  # which a worker pulls before its first job


@dataclass(frozen=True)
class Plan:
    """What a run would take, and how much of that time each resource is busy."""

    cells: int
    places: int
    batches: bool
    hours: float
    efficiency: float
    scheduler: float
    remote: float
    collector: float

    @property
    def limit(self) -> str:
        """What keeps it from being faster."""
        if self.efficiency > 0.5:
            return "places"
        shares = {"scheduler": self.scheduler, "remote": self.remote, "collector": self.collector}
        first = max(shares, key=lambda name: shares[name])
        return first if shares[first] > 0.5 else "more places than jobs"


class Server:
    """A resource that serves one request after another."""

    def __init__(self) -> None:
        self.free, self.busy = 0.0, 0.0

    def serve(self, asked: float, seconds: float) -> float:
        """When a request is done that was made at some time and takes so long."""
        self.free = max(self.free, asked) + seconds
        self.busy += seconds
        return self.free


def collect(ends: list[float], costs: Costs, *, batches: bool) -> tuple[float, float]:
    """When the collector has brought the jobs that end at these times (sorted), and how long it worked."""
    server, done = Server(), 0
    while done < len(ends):
        start = max(server.free, ends[done])
        taken = sum(end <= start for end in ends[done:]) if batches else 1
        entries = (done + taken) * costs.cell_entries
        copied = taken * costs.cell_bytes / BYTES_PER_SECOND
        server.serve(start, costs.pull_seconds + copied + entries * costs.entry_seconds)
        done += taken
    return server.free, server.busy


def simulate(costs: Costs, cells: int, places: int, *, batches: bool = True) -> Plan:
    """One run of a grid of so many cells, a job each, on so many places: events in the order of their times."""
    scheduler, remote, ends = Server(), Server(), list[float]()
    began = set[int]()  # workers that have asked for their inputs
    left = cells
    events = [(0.0, place, "idle") for place in range(places)]
    while events:
        now, place, state = heapq.heappop(events)
        if state == "idle" and left:
            left -= 1
            heapq.heappush(events, (scheduler.serve(now, SCHEDULER_SECONDS), place, "begun"))
        elif state == "begun":
            if place // PER_WORKER not in began:  # places that share a clone compute meanwhile: a little too kind
                began.add(place // PER_WORKER)
                now = remote.serve(now, costs.input_bytes / BYTES_PER_SECOND)
            heapq.heappush(events, (now + costs.cell_seconds + costs.dvc_seconds, place, "computed"))
        elif state == "computed":
            ends.append(remote.serve(now, costs.cell_bytes / BYTES_PER_SECOND))
            heapq.heappush(events, (ends[-1], place, "idle"))
    end, busy = collect(sorted(ends), costs, batches=batches)
    efficiency = cells * costs.cell_seconds / (places * end)
    shares = (scheduler.busy / end, remote.busy / end, busy / end)
    return Plan(cells, places, batches, end / 3600, efficiency, *shares)


def measure() -> Costs:
    """The costs here, in a finished study."""
    from dvc.utils.serialize import dump_yaml, load_yaml, modify_yaml

    results = json.loads((HERE / "results.json").read_text())["breakdown"]
    per_cell = {"train": 1, "heldout": 1, "sample": 2, "embed": 2, "fid": 2}
    seconds = sum(count * results[name]["seconds"] / results[name]["runs"] for name, count in per_cell.items())
    names = cell_targets(Cell("linear", 50, 0), ["ancestral", "clipped"], {"train@linear-50-0"})
    entries = load_yaml("dvc.lock")["stages"]
    many = {f"{name}-{i}": copy.deepcopy(entries[name]) for i in range(50) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / lock.LOCK)
        dump_yaml(path, {"schema": "2.0", "stages": many})
        began = time.perf_counter()
        with modify_yaml(path) as data:
            data["stages"]["one more"] = copy.deepcopy(entries[names[0]])
        rewrite = time.perf_counter() - began
    outs = {name: entries[name]["outs"] for name in (*names, "mnist", "weights", "reference")}
    sizes = {name: sum(out["size"] for out in found) for name, found in outs.items()}
    return Costs(
        cell_seconds=round(seconds, 1),
        dvc_seconds=round(
            _seconds("repro", "--single-item", *names) + _seconds("push", "--remote", "trained", names[0]), 2
        ),
        entry_seconds=round(rewrite / len(many), 5),
        pull_seconds=round(_seconds("pull", "--remote", "trained", names[0]), 2),
        cell_entries=len(names),
        cell_bytes=float(sum(sizes[name] for name in names)),
        input_bytes=float(sum(sizes[name] for name in ("mnist", "weights", "reference"))),
    )


def _seconds(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run(["dvc", *words], check=True, capture_output=True)
    return time.perf_counter() - began


def draw(plans: list[Plan]) -> None:
    """Efficiency against places, a line for each number of cells and kind of collector."""
    from matplotlib.figure import Figure

    figure = Figure((6, 3.6), layout="constrained")
    axes = figure.subplots()
    for color, cells in zip(("tab:blue", "tab:orange"), CELLS, strict=True):
        for batches, style in ((True, "-o"), (False, "--x")):
            chosen = [plan for plan in plans if (plan.cells, plan.batches) == (cells, batches)]
            label = f"{cells:,} cells, {'results in batches' if batches else 'one result at a time'}"
            axes.semilogx(
                [p.places for p in chosen], [p.efficiency for p in chosen], style, color=color, label=label, ms=4
            )
    axes.set(xlabel="places for jobs", ylabel="share of the places' time that computes", ylim=(0, 1.02))
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(FIGURE, dpi=130, metadata={"Software": None})


def page(plans: list[Plan], costs: Costs) -> str:
    """The head, and one row a plan."""
    rows = [COLUMNS, ("---",) * len(COLUMNS)]
    for p in plans:
        shares = (f"{share:.0%}" for share in (p.efficiency, p.scheduler, p.remote, p.collector))
        come = "in batches" if p.batches else "one by one"
        rows.append((f"{p.cells:,}", f"{p.places:,}", come, f"{p.hours:.2f}", *shares, p.limit))
    head = HEAD.format(**asdict(costs), network=BYTES_PER_SECOND / 1e6)
    return "\n".join((head, *(f"| {' | '.join(row)} |" for row in rows), ""))


@app.command(help=__doc__)
def main(measured: Annotated[bool, typer.Option("--measure", help="Measure the costs here first.")] = False) -> None:
    """Write the table and the figure."""
    if measured:
        COSTS.write_text(json.dumps(asdict(measure()), indent=2) + "\n")
    costs = Costs(**json.loads(COSTS.read_text()))
    plans = [simulate(costs, cells, places, batches=b) for b in (True, False) for cells in CELLS for places in PLACES]
    TABLE.write_text(page(plans, costs))
    draw(plans)
    print(TABLE.read_text())


if __name__ == "__main__":
    app()
