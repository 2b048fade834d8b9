"""Calibration files: the packaged ones, and those that break the schema."""

import hashlib
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from evaluation.match.calibration import render_calibration
from research.photo_match.cohort import fit_cohort
from vision.errors import PackDataInvalid, PackIncomplete
from vision.packs.calibration import (
    CalibrationRecord,
    MatchCalibration,
    ScanRange,
    ScorePoint,
    load_calibration,
    parse_calibration,
    parse_cohort,
)
from vision.packs.catalogue import load_catalogue

SHA = "ab" * 32
GOOD = f"""
schema = 1
embedder_sha256 = "{SHA}"

[record]
provenance = "measured"
dataset = "two pairs of twins"
identities = 4
genuine_pairs = 6
impostor_pairs = 24
command = "make calibration"
failures_to_acquire = 1

[[point]]
cosine = 0.2
fmr_upper_bound = 0.1

[[point]]
cosine = 0.4
fmr_upper_bound = 0.01
fnmr = 0.05
"""
RECORD = CalibrationRecord(
    provenance="assumed", dataset="none", identities=0, genuine_pairs=0, impostor_pairs=0, command="none"
)


def test_reads_a_file() -> None:
    calibration = parse_calibration(GOOD, source="good.toml")
    assert calibration.points == (ScorePoint(0.2, 0.1), ScorePoint(0.4, 0.01, 0.05))
    assert calibration.embedder_sha256 == SHA
    assert calibration.record.provenance == "measured"
    assert calibration.record.failures_to_acquire == 1
    assert calibration.record.note == ""
    assert calibration.lowest_bound == 0.01


@pytest.mark.parametrize("kind", ["arcface", "dlib_resnet"])
def test_packaged_calibrations_are_for_catalogued_embedders(kind: str) -> None:
    embedders = [entry for entry in load_catalogue().entries if entry.kind == kind]
    assert embedders
    loaded = []
    for entry in embedders:
        try:
            loaded.append(load_calibration(entry.sha256))
        except PackIncomplete:
            continue
    assert loaded
    assert {calibration.embedder_sha256 for calibration in loaded} <= {entry.sha256 for entry in embedders}


def test_an_embedder_without_calibration_is_refused() -> None:
    with pytest.raises(PackIncomplete, match=SHA):
        load_calibration(SHA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schema = 1", "schema = 2"),
        ("schema = 1", ""),
        ("schema = 1", "schema ="),
        (SHA, "AB" * 32),
        (SHA, "ab"),
        ('"measured"', '"guessed"'),
        ("identities = 4", "identities = -4"),
        ("identities = 4", "identities = true"),
        ("identities = 4", ""),
        ('"two pairs of twins"', "2"),
        ("cosine = 0.2", "cosine = 0.4"),
        ("cosine = 0.2", "cosine = -1.2"),
        ("cosine = 0.2", 'cosine = "0.2"'),
        ("fmr_upper_bound = 0.01", "fmr_upper_bound = 0.1"),
        ("fmr_upper_bound = 0.01", "fmr_upper_bound = 0.0"),
        ("fmr_upper_bound = 0.01", "fmr_upper_bound = nan"),
        ("fnmr = 0.05", "fnmr = 1.5"),
        ("[[point]]", "[[other]]"),
    ],
)
def test_a_schema_violation_is_refused(old: str, new: str) -> None:
    assert old in GOOD
    with pytest.raises(PackDataInvalid):
        parse_calibration(GOOD.replace(old, new), source="broken.toml")


@pytest.mark.parametrize("name", ["identities", "genuine_pairs", "impostor_pairs"])
def test_a_count_of_hundreds_of_digits_is_refused(name: str) -> None:
    text = re.sub(rf"{name} = \d+", f"{name} = 1{'0' * 400}", GOOD)
    assert text != GOOD
    with pytest.raises(PackDataInvalid, match=f"{name}: Input should be less than"):
        parse_calibration(text, source="broken.toml", origin="operator")


def test_published_figures_need_their_reference_and_no_command() -> None:
    published = GOOD.replace('"measured"', '"published"').replace('command = "make calibration"\n', "")
    with pytest.raises(PackDataInvalid, match="state where the figures are published"):
        parse_calibration(published, source="published.toml")
    with_reference = published.replace("[[point]]", 'reference = "A report, table 3"\n\n[[point]]', 1)
    calibration = parse_calibration(with_reference, source="published.toml", origin="operator")
    assert calibration.record.reference == "A report, table 3"
    assert calibration.record.command == ""
    assert calibration.provenance == "published"


def test_only_published_figures_have_a_reference() -> None:
    text = GOOD.replace("[[point]]", 'reference = "A report"\n\n[[point]]', 1)
    with pytest.raises(PackDataInvalid, match="only for figures that are"):
        parse_calibration(text, source="measured.toml")


def test_the_origin_of_a_measurement_is_distinguished() -> None:
    assert parse_calibration(GOOD, source="good.toml").provenance == "measured"
    brought = parse_calibration(GOOD, source="good.toml", origin="operator")
    assert brought.provenance == "measured_by_operator"
    assert brought.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()


def test_no_points_are_refused() -> None:
    with pytest.raises(PackDataInvalid, match="at least one point"):
        MatchCalibration(points=(), record=RECORD, embedder_sha256=SHA)


@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.floats(0, 1, exclude_min=True)),
        min_size=2,
        max_size=6,
        unique_by=(lambda p: p[0]),
    )
)
def test_only_monotone_points_are_taken(points: list[tuple[float, float]]) -> None:
    rising = tuple(ScorePoint(cosine, bound) for cosine, bound in sorted(points))
    bounds = [point.fmr_upper_bound for point in rising]
    if all(upper > lower for upper, lower in itertools.pairwise(bounds)):
        assert MatchCalibration(rising, RECORD, SHA).lowest_bound == bounds[-1]
    else:
        with pytest.raises(PackDataInvalid, match="monotone"):
            MatchCalibration(rising, RECORD, SHA)


def test_photos_and_scans_are_two_ranges_and_survive_the_file() -> None:
    drawn = np.random.default_rng(1).normal(size=(50, 8)) + 1.0
    cohort = fit_cohort(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), directions=2)
    scans = ScanRange((ScorePoint(0.3, 0.1), ScorePoint(0.5, 0.02, 0.1)), 9, 30, 9, 500)
    made = MatchCalibration(
        (ScorePoint(0.2, 0.1), ScorePoint(0.6, 1e-5, 0.2)),
        RECORD,
        SHA,
        scans=scans,
        cohort=cohort,
        template="f",
    )
    read = parse_calibration(render_calibration(made), source="made")
    assert (read.points, read.scans, read.template) == (made.points, scans, "f")
    assert (read.lowest_bound, read.of_scans.lowest_bound) == (1e-5, 0.02)
    np.testing.assert_allclose(read.vectors(drawn), made.vectors(drawn), atol=1e-12)


def test_without_a_range_of_scans_that_of_photos_counts() -> None:
    calibration = parse_calibration(GOOD, source="good.toml")
    assert calibration.scans is None
    assert calibration.of_scans is calibration


def test_a_broken_range_of_scans_is_refused() -> None:
    falling = "point = [{ cosine = 0.5, fmr_upper_bound = 0.1 }, { cosine = 0.4, fmr_upper_bound = 0.01 }]"
    for table in (falling, "point = []", ""):
        counts = "scans = 1\npersons = 2\ngenuine_pairs = 1\nimpostor_pairs = 1\n"
        with pytest.raises(PackDataInvalid):
            parse_calibration(f"{GOOD}\n[scans]\n{counts}{table}\n", source="bad.toml")


def test_each_alignment_of_one_embedder_has_a_calibration_of_its_own() -> None:
    entry = load_catalogue().by_name("mobilefacenet_foamliu.onnx")
    assert entry is not None
    known = load_calibration(entry.sha256)
    assert "/mesh-points-" in known.template
    for detector in ("scrfd", "yunet"):
        other = known.template.replace("/mesh-", f"/{detector}-five-")
        assert load_calibration(entry.sha256, template=other).template == other
    with pytest.raises(PackIncomplete, match="of the form"):
        load_calibration(entry.sha256, template=known.template + "+other")


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def _population(seed: int = 1) -> NDArray[np.float64]:
    """Templates that all lean towards one direction, as those of a real network do."""
    drawn = np.random.default_rng(seed).normal(size=(400, 32))
    drawn[:, 0] += 3.0
    return _unit(drawn)


def test_strangers_score_zero_in_the_mean_and_a_template_with_itself_one() -> None:
    people = _population()
    cohort = fit_cohort(people, directions=8)
    assert cohort.persons == 400
    vectors = cohort.vectors(_population(seed=2))
    scores = vectors @ vectors.T
    others = scores[~np.eye(len(scores), dtype=bool)]
    assert abs(others.mean()) < 0.02
    assert np.diag(scores).mean() == pytest.approx(1.0, abs=0.05)
    assert (people @ people.T).mean() > 0.15  # the cosine of strangers is not 0


def test_a_cohort_survives_its_file() -> None:
    cohort = fit_cohort(_population(), directions=4)
    read = parse_cohort(cohort.as_table())
    templates = _population(seed=3)
    np.testing.assert_allclose(read.vectors(templates), cohort.vectors(templates), atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        {"persons": 1},
        {"persons": True},
        {"rest": 0.0},
        {"scale": -1.0},
        {"scale": float("nan")},
        {"mean": ""},
        {"mean": "AAA"},
        {"mean": "no base64"},
        {"directions": "AAAAAA=="},
        {"variances": 3},
    ],
)
def test_a_broken_cohort_is_refused(change: dict[str, object]) -> None:
    table: dict[str, object] = dict(fit_cohort(_population(), directions=2).as_table())
    with pytest.raises(PackDataInvalid):
        parse_cohort(table | change)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3e38])
def test_directions_that_are_not_orthonormal_are_refused(factor: float) -> None:
    cohort = fit_cohort(_population(), directions=2)
    stretched = replace(cohort, directions=cohort.directions * factor)
    with pytest.raises(PackDataInvalid):
        parse_cohort(stretched.as_table())


@given(st.text(max_size=40), st.text(max_size=40))
@example("0" * 16, "0" * 16)
@example("AAAAAA==", "AACAPw==")
def test_any_text_is_a_usable_cohort_or_refused(mean: str, directions: str) -> None:
    table: dict[str, object] = dict(fit_cohort(_population(), directions=1).as_table())
    try:
        cohort = parse_cohort(table | {"mean": mean, "directions": directions})
    except PackDataInvalid:
        return
    assert np.isfinite(cohort.vectors(np.ones((1, cohort.mean.size)))).all()
