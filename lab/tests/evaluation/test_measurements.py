import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.evaluation.bench import (
    BenchReport,
    Measurement,
    ModelClock,
    ModelUse,
    NothingMeasured,
    describe_machine,
    timed_pack,
)
from lab.evaluation.binomial import fewest_trials, proportion
from lab.evaluation.check_cases import (
    CaseKind,
    ClipCase,
    clip_cases,
    portrait_frames,
    scan_frames,
)
from lab.tests.evaluation.samples import FACE, IMAGE, burning_pack
from tests.whole_checks.cases import kinds, photo_cases


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
    last = document["measurements"][-1]
    assert (last["min"], last["median"], last["max"]) == (2.0, 2.5, 3.0)
    assert document["machine"]["cores"] >= 1


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
    assert clock.read_and_reset().calls == {}


def test_a_call_that_raises_is_counted() -> None:
    clock = ModelClock()
    with pytest.raises(ArithmeticError):
        timed_pack(burning_pack(), clock).pad_networks[0].real_probability(IMAGE, FACE)
    assert clock.read_and_reset().calls == {"pad:net": 1}


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


def test_an_interval_of_the_books() -> None:
    # A. Agresti, "Categorical Data Analysis", 3rd ed., 16.6.1: 0 and 9 of 25.
    none, some = proportion(0, 25, confidence=0.95), proportion(9, 25, confidence=0.95)
    assert none is not None
    assert some is not None
    assert (none.lower, round(none.upper, 3)) == (0.0, 0.137)
    assert (round(some.lower, 3), round(some.upper, 3)) == (0.18, 0.575)
    assert some.rate == 0.36


def test_without_a_trial_there_is_no_share() -> None:
    assert proportion(0, 0, confidence=0.95) is None
    with pytest.raises(ValueError, match="3 hits of 2"):
        proportion(3, 2, confidence=0.95)


@given(trials=st.integers(1, 2000), data=st.data())
def test_the_rate_lies_within(trials: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, trials))
    found = proportion(hits, trials, confidence=0.95)
    assert found is not None
    assert 0.0 <= found.lower <= found.rate <= found.upper <= 1.0


@pytest.mark.parametrize(("rate", "needed"), [(0.01, 300), (0.1, 30), (1.0, 3)])
def test_bounds_agree_with_the_rule_of_three(rate: float, needed: int) -> None:
    assert fewest_trials(rate) == needed
    # One-sided 95 %: zero of this many proves the rate, and a tenth fewer does not.
    found, fewer = proportion(0, needed, confidence=0.9), proportion(0, needed * 9 // 10, confidence=0.9)
    assert found is not None
    assert fewer is not None
    assert found.upper <= rate < fewer.upper or rate == 1.0


def _manifest(folder: Path, header: str, rows: list[str]) -> None:
    (folder / "manifest.csv").write_text("\n".join([header, *rows]) + "\n")


def test_clip_cases(tmp_path: Path) -> None:
    rows = [f"live/{name}.mp4,live," for name in "abcd"] + ["spoof/x.mp4,spoof,screen"]
    _manifest(tmp_path, "file,label,attack_type", rows)
    cases = clip_cases(tmp_path)
    genuine = [case for case in cases if case.kind is CaseKind.GENUINE_CLIP]
    impostors = [case for case in cases if case.kind is CaseKind.IMPOSTOR_CLIP]
    assert [case.scan.name for case in genuine] == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    assert all(case.portrait == case.scan for case in genuine)
    assert all(case.portrait != case.scan for case in impostors)
    assert cases[-1] == ClipCase(
        CaseKind.ATTACK_CLIP, tmp_path / "spoof/x.mp4", tmp_path / "spoof/x.mp4", "screen"
    )
    assert kinds(cases) == [CaseKind.GENUINE_CLIP, CaseKind.IMPOSTOR_CLIP, CaseKind.ATTACK_CLIP]


def test_photo_cases_take_people_with_two_large_photos(tmp_path: Path) -> None:
    rows = [
        "a1.jpg,anna,300,1",
        "a2.jpg,anna,250,1",
        "b1.jpg,bela,300,1",
        "b2.jpg,bela,100,1",
        "c1.jpg,cleo,300,1",
        "c2.jpg,cleo,300,0",
        "d1.jpg,dora,210,1",
        "d2.jpg,dora,220,1",
        "e1.jpg,,300,1",
    ]
    _manifest(tmp_path, "file,identity,face_w_px,usable", rows)
    cases = photo_cases(tmp_path, least_face_width=200, people=5)
    assert [(case.kind, case.portrait.name, case.scan.name) for case in cases] == [
        (CaseKind.GENUINE_PHOTO, "a1.jpg", "a2.jpg"),
        (CaseKind.GENUINE_PHOTO, "d1.jpg", "d2.jpg"),
        (CaseKind.IMPOSTOR_PHOTO, "a1.jpg", "d2.jpg"),
        (CaseKind.IMPOSTOR_PHOTO, "d1.jpg", "a2.jpg"),
    ]


def test_portrait_and_scan_are_of_different_moments(assets: Path) -> None:
    clip = assets / "data/video/live/quentin-csg__videos__real.mp4"
    first_portrait = next(portrait_frames(clip))
    image, time = next(scan_frames(clip))
    assert time >= 1.0
    assert image.shape == first_portrait.shape
    assert (image != first_portrait).any()
