import json
from datetime import UTC, datetime

from evaluation.bench import BenchReport, describe_machine
from tests.evaluation.bench.test_measurement import measured


def test_a_report_is_json() -> None:
    report = BenchReport(
        command="facegate bench --runs 1",
        made=datetime(2026, 1, 2, tzinfo=UTC),
        version="0.1.0",
        machine=describe_machine(),
        runtimes={"embedded": "dlib"},
        measurements=(measured(1.0), measured(2.0, 3.0)),
    )
    document = json.loads(report.to_json())
    assert document["schema"] == 1
    assert document["made"] == "2026-01-02T00:00:00+00:00"
    assert [m["values"] for m in document["measurements"]] == [[1.0], [2.0, 3.0]]
    assert document["machine"]["cores"] >= 1
