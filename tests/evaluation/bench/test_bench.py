import json
import os
import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from evaluation.bench import (
    BenchReport,
    Measurement,
    ModelClock,
    ModelUse,
    NothingMeasured,
    describe_machine,
    timed_pack,
)
from tests.evaluation.bench.packs import FACE, IMAGE, burning_pack


def measured(*values: float) -> Measurement:
    return Measurement(
        pack="embedded", name="a figure", load="1 scan", unit="ms", meaning="What it is.", values=values
    )


@pytest.mark.parametrize(("values", "median"), [((3.0,), 3.0), ((3.0, 1.0), 2.0), ((9.0, 1.0, 2.0), 2.0)])
def test_least_median_and_most_are_computed(values: tuple[float, ...], median: float) -> None:
    figure = measured(*values)
    assert (figure.least, figure.median, figure.most) == (min(values), median, max(values))


def test_a_figure_without_a_value_stays_empty() -> None:
    with pytest.raises(NothingMeasured, match="a figure"):
        measured()


def test_the_json_contains_every_value() -> None:
    document = json.loads(json.dumps(measured(2.0, 1.0).to_json()))
    assert document["values"] == [2.0, 1.0]
    assert (document["min"], document["median"], document["max"]) == (1.0, 1.5, 2.0)


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


def test_the_description_matches_this_machine() -> None:
    machine = describe_machine()
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert machine.cpu
    assert machine.python.startswith("3.")
    assert machine.load is None or machine.load >= 0
    assert machine.to_json()["cores"] == machine.cores


def test_a_timed_pack_answers_as_the_pack() -> None:
    pack, clock = burning_pack(), ModelClock()
    timed = timed_pack(pack, clock)
    assert timed.landmarker is not None
    assert timed.landmarker.scheme == "ibug68"
    assert timed.embedder.dimensions == 4
    assert timed.pad_networks[0].name == "net"
    assert timed.detector.detect(IMAGE) == (FACE,)
    landmarks = timed.landmarker.locate(IMAGE, FACE)
    assert landmarks is not None
    assert landmarks.points.shape == (68, 2)
    assert np.array_equal(timed.embedder.embed(IMAGE, FACE), pack.embedder.embed(IMAGE, FACE))
    assert (timed.name, timed.match_calibration) == (pack.name, pack.match_calibration)
    assert timed_pack(burning_pack(landmarks=False), clock).landmarker is None


def test_each_model_has_its_own_time() -> None:
    clock = ModelClock()
    timed = timed_pack(burning_pack(), clock)
    for _ in range(3):
        timed.detector.detect(IMAGE)
    timed.embedder.embed(IMAGE, FACE)
    use = clock.read_and_reset()
    assert use.calls == {"detector": 3, "embedder": 1}
    assert use.seconds["detector"] >= 0.012
    assert use.seconds["embedder"] >= 0.008
    assert use.total_seconds == pytest.approx(sum(use.seconds.values()))


def test_a_call_that_raises_is_counted() -> None:
    clock = ModelClock()
    with pytest.raises(ArithmeticError):
        timed_pack(burning_pack(), clock).pad_networks[0].real_probability(IMAGE, FACE)
    assert clock.read_and_reset().calls == {"pad:net": 1}


def test_taking_starts_anew() -> None:
    clock = ModelClock()
    timed = timed_pack(burning_pack(), clock)
    timed.detector.detect(IMAGE)
    first = clock.read_and_reset()
    timed.detector.detect(IMAGE)
    assert first.calls == clock.read_and_reset().calls == {"detector": 1}
    assert clock.read_and_reset().calls == {}


def test_threads_do_not_lose_calls() -> None:
    clock = ModelClock()

    def work() -> None:
        for _ in range(200):
            with clock.call("model"):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.read_and_reset().calls == {"model": 800}


def test_one_frame_is_every_model_once() -> None:
    use = ModelUse(calls={"detector": 10, "embedder": 2}, seconds={"detector": 1.0, "embedder": 0.5})
    assert use.one_frame_seconds == pytest.approx(0.1 + 0.25)


def test_without_models_there_is_no_unit() -> None:
    with pytest.raises(NothingMeasured):
        _ = ModelClock().read_and_reset().one_frame_seconds


def test_another_clock_can_be_passed() -> None:
    ticks = iter([1.0, 3.5])
    clock = ModelClock(clock=lambda: next(ticks))
    with clock.call("model"):
        pass
    assert clock.read_and_reset().seconds == {"model": 2.5}
