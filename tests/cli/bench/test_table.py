import io
from datetime import UTC, datetime

from rich.console import Console

from cli.bench.scan_load import scan_measurements
from cli.bench.table import report_view
from evaluation.bench import BenchReport, Measurement, describe_machine
from tests.cli.bench.test_scan_load import run


def test_the_table_fits_a_narrow_terminal_uncut() -> None:
    measurements = [
        measurement
        for pack in ("embedded", "another")
        for at_once in (1, 4)
        for measurement in scan_measurements(
            pack, at_once=at_once, runs=(run(*[0.1] * 50), run(*[12.3] * 50))
        )
    ]
    measurements.append(
        Measurement(
            pack="embedded",
            name="a name that is much too long for one line of eighty columns with its figures",
            load="1 scan",
            unit="model frames",
            meaning="",
            values=(1.25,) * 100,
        )
    )
    report = BenchReport(
        command="facegate bench --runs 2",
        made=datetime(2026, 1, 2, tzinfo=UTC),
        version="0.1.0",
        machine=describe_machine(),
        runtimes={"embedded": "dlib", "another": "nothing"},
        measurements=tuple(measurements),
    )
    sink = io.StringIO()
    Console(file=sink, width=80).print(report_view(report))
    text = sink.getvalue()
    assert "…" not in text
    assert text.count("CPU a frame / its model time") == 4
    assert text.count("1.25") == 3
    assert "another, 4 scans at once" in text
    assert "12,300" in text
    assert f"{describe_machine().cores} cores" in text
    assert "facegate bench --runs 2" in text
