"""What a measuring process has in common: one case by name, one line of JSON at the end."""

import json
import resource
from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from benchmarks.measure import rate, use_threads


def serve(cases: Mapping[str, Callable[[], Callable[[], int]]]) -> None:
    """Command line of a worker: ``CASE --seconds S``. A case builds what it needs and returns its step."""

    def main(case: str, seconds: Annotated[float, typer.Option()] = 10.0) -> None:
        use_threads()
        found = rate(cases[case](), seconds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"rate": found, "peak_rss_mib": peak}))

    typer.run(main)
