"""Two servers, PostgreSQL, an S3 and HAProxy under more devices than they hold, while parts of them fail.

    python -m tests.cluster --minutes 20
    python -m tests.cluster --soak 60

docs/operating.md, "Several servers", says what it proves. Exit status 0: it passed; 1: it did not.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.cluster.run import Plan, Report, run
from tests.cluster.servers import FAULTS
from tests.logs import log_plainly


def cluster(
    *,
    minutes: Annotated[float, typer.Option(help="Length with faults.")] = 20.0,
    soak: Annotated[float, typer.Option(help="Length of a soak, in place of faults, minutes.")] = 0.0,
    scans: Annotated[
        int, typer.Option(help="Scans that each server holds; 0 for as many as it takes by itself.")
    ] = 2,
    fault: Annotated[
        list[str] | None, typer.Option(help=f"Only these, in this order: {', '.join(FAULTS)}.")
    ] = None,
    busy: Annotated[
        bool, typer.Option(help="Accept that a busy machine saw too little of a genuine person.")
    ] = False,
) -> None:
    """Run the cluster, and say whether it passed."""
    log_plainly()
    console = Console(width=None if sys.stdout.isatty() else 140)
    unknown = set(fault or ()) - set(FAULTS)
    if unknown:
        raise typer.BadParameter(f"no fault is called {', '.join(unknown)}")
    plan = Plan(
        minutes=soak or minutes,
        faults=() if soak else tuple(fault or FAULTS),
        scans=scans or None,
        pack=_pack(),
        soak=bool(soak),
        busy=busy,
    )
    logs = Path(tempfile.mkdtemp(prefix="facegate-cluster-"))
    report = asyncio.run(run(plan, logs, lambda line: console.print(line, highlight=False, markup=False)))
    _show(report, console)
    sys.exit(1 if report.problems else 0)


def _pack() -> str:
    """``open`` where its weights are, otherwise ``embedded``."""
    models = Path(os.environ.get("FACEGATE_TEST_ASSETS", "../shared")) / "models"
    return f"open:{models.resolve()}" if models.is_dir() else "embedded"


def _show(report: Report, console: Console) -> None:
    """Print the table, what else was counted, and the problems."""
    columns = (
        "of",
        "checks",
        "SUCCESS",
        "FAILURE",
        "NOT_DECIDED",
        "left",
        "resumed",
        "results",
        "p50",
        "p95",
        "max",
    )
    table = Table(*columns, title="AttemptEnd to result, seconds")
    for row in report.table():
        table.add_row(*(str(row.get(column, "")) for column in columns))
    console.print(table)
    for name, value in report.document().items():
        console.print(f"{name}: {value}", highlight=False, markup=False)
    for problem in report.problems:
        console.print(f"PROBLEM: {problem}", style="red", highlight=False, markup=False)
    console.print("FAILED" if report.problems else "PASSED", f"- logs: {report.folder}", markup=False)


if __name__ == "__main__":
    typer.run(cluster)
