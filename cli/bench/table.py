"""Shows a report as tables for the terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from evaluation.bench import BenchReport, Measurement

__all__ = ["report_view"]


def report_view(report: BenchReport) -> Group:
    """Returns the figures by pack and load, then the method and the machine."""
    groups = dict.fromkeys((measurement.pack, measurement.load) for measurement in report.measurements)
    machine = report.machine
    busy = "" if machine.load is None else f", load {machine.load:g} before"
    notes = [
        *(f"{pack}: {runtime}." for pack, runtime in report.runtimes.items()),
        "A model frame is the CPU time of one call of every model of the pack.",
        "The devices run in a separate process on the same machine: their CPU time is not counted.",
        f"Machine: {machine.cpu}, {machine.cores} cores{busy}; {machine.system}, Python {machine.python}.",
        f"Again: {report.command}",
    ]
    return Group(
        *(_table(pack, load, report.measurements) for pack, load in groups), *(Text(note) for note in notes)
    )


def _table(pack: str, load: str, measurements: Sequence[Measurement]) -> Table:
    table = Table(title=Text(f"{pack}, {load}", "bold"), title_justify="left", box=box.SIMPLE_HEAD)
    # Long names wrap; figures do not.
    table.add_column("measured", overflow="fold")
    for name in ("min", "median", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    for measurement in measurements:
        if (measurement.pack, measurement.load) == (pack, load):
            table.add_row(*_cells(measurement))
    return table


def _cells(measurement: Measurement) -> tuple[str | Text, ...]:
    return (
        Text(measurement.name),
        _figure(measurement.least),
        Text(_figure(measurement.median), "bold"),
        _figure(measurement.most),
        measurement.unit or "ratio",
        str(len(measurement.values)),
    )


def _figure(value: float) -> str:
    """Returns a number with about three digits."""
    decimals = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{decimals}f}"
