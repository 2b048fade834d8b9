"""Calibration files: the packaged ones, and those that break the schema."""

import hashlib
import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lab.evaluation.match.calibration import render_calibration
from lab.studies.photo_match.cohort import fit_cohort
from lab.tests.evaluation.match.reports import pack_of
from vision.errors import CalibrationUnusable, PackDataInvalid, PackIncomplete, PackNotFound
from vision.packs.calibration import (
    CalibrationRecord,
    MatchCalibration,
    Provenance,
    ScanRange,
    ScorePoint,
    load_calibration,
    parse_calibration,
    parse_cohort,
)
from vision.packs.catalogue import load_catalogue
from vision.packs.pack import read_operator_calibration, with_calibration

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


@pytest.mark.parametrize("kind", ["arcface", "sface"])
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
        ("schema = 1", "schema ="),
        (SHA, "AB" * 32),
        ('"measured"', '"guessed"'),
        ("identities = 4", "identities = -4"),
        ("cosine = 0.2", 'cosine = "0.2"'),
        ("cosine = 0.2", "cosine = 0.4"),
        ("cosine = 0.2", "cosine = -1.2"),
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


@pytest.mark.parametrize(
    "change",
    [
        {"persons": 1},
        {"persons": True},
        {"persons": 400.0},
        {"rest": 0.0},
        {"scale": -1.0},
        {"scale": float("nan")},
        {"mean": ""},
        {"mean": "AAA"},
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


def written(
    folder: Path,
    *,
    bound: float = 0.01,
    provenance: Provenance = "measured",
    identities: int = 30,
    impostors: int = 435 * 4,
    genuine: int = 30,
    command: str = "facegate evaluate match --calibration",
    reference: str = "",
) -> Path:
    file = folder / "calibration.toml"
    record = CalibrationRecord(
        provenance=provenance,
        dataset="photos of the operator",
        identities=identities,
        genuine_pairs=genuine,
        impostor_pairs=impostors,
        command=command,
        reference=reference,
    )
    points = (ScorePoint(0.1, 1.0), ScorePoint(0.4, bound))
    file.write_text(render_calibration(MatchCalibration(points, record, SHA)), encoding="utf-8")
    return file


def test_measured_figures_are_the_operator_s(tmp_path: Path) -> None:
    calibration = read_operator_calibration(written(tmp_path))
    assert (calibration.provenance, calibration.origin) == ("measured_by_operator", "operator")
    assert len(calibration.sha256) == 64
    pack = with_calibration(pack_of(SHA), calibration)
    assert pack.match_calibration is calibration


def test_published_figures_need_no_counts(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        bound=1e-6,
        provenance="published",
        identities=0,
        impostors=0,
        genuine=0,
        command="",
        reference="A report, table 3",
    )
    calibration = read_operator_calibration(file)
    assert (calibration.provenance, calibration.lowest_bound) == ("published", 1e-6)


def test_a_calibration_of_another_embedder_is_refused(tmp_path: Path) -> None:
    calibration = read_operator_calibration(written(tmp_path))
    with pytest.raises(CalibrationUnusable, match="say nothing about another's") as caught:
        with_calibration(pack_of("cd" * 32), calibration)
    assert SHA in str(caught.value)
    assert "cd" * 32 in str(caught.value)


# 30 persons make 435 pairs: without one false match they bound FMR at 2.3 / 435 with 90 % confidence.
@pytest.mark.parametrize(
    ("identities", "impostors", "bound", "good"),
    [
        (30, 1740, 0.0054, True),
        (30, 1740, 0.0052, False),
        (30, 100, 0.01, False),
        (30, 0, 0.5, False),
        (1, 100, 0.5, False),
        (2450, 3_000_025, 1e-6, True),
    ],
)
def test_no_bound_that_so_few_persons_cannot_support(
    tmp_path: Path, identities: int, impostors: int, bound: float, good: bool
) -> None:
    file = written(tmp_path, identities=identities, impostors=impostors, bound=bound)
    if good:
        assert read_operator_calibration(file).lowest_bound == bound
        return
    with pytest.raises(CalibrationUnusable, match="support none below"):
        read_operator_calibration(file)


def test_assumed_figures_and_empty_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CalibrationUnusable, match="is assumed"):
        read_operator_calibration(written(tmp_path, provenance="assumed"))
    with pytest.raises(CalibrationUnusable, match="genuine pairs"):
        read_operator_calibration(written(tmp_path, genuine=0))
    file = written(tmp_path)
    file.write_text(file.read_text().replace("facegate evaluate match --calibration", " "))
    with pytest.raises(CalibrationUnusable, match="command or"):
        read_operator_calibration(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "not UTF-8 at byte 0"),
        (b"schema =", "not valid TOML"),
        (b"x" * 2_000_000, "more than 1048576"),
    ],
)
def test_anything_but_a_calibration_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "calibration.toml"
    file.write_bytes(content)
    with pytest.raises(PackDataInvalid, match=said) as caught:
        read_operator_calibration(file)
    assert str(file) in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackNotFound, match=r"none\.toml cannot be read \(No such file"):
        read_operator_calibration(tmp_path / "none.toml")
    with pytest.raises(PackNotFound, match="Is a directory"):
        read_operator_calibration(tmp_path)


def test_a_calibration_of_templates_of_another_form_is_refused(tmp_path: Path) -> None:
    pack = pack_of(SHA)
    calibration = read_operator_calibration(written(tmp_path))
    of_form = replace(calibration, template=pack.template_form.id)
    assert with_calibration(pack, of_form).match_calibration is of_form
    with pytest.raises(CalibrationUnusable, match="of templates of the form"):
        with_calibration(pack, replace(calibration, template=f"{pack.template_form.id}+mirror"))


def test_a_cohort_of_templates_of_another_length_is_refused(tmp_path: Path) -> None:
    cohort = fit_cohort(np.eye(3), directions=1)
    calibration = replace(read_operator_calibration(written(tmp_path)), cohort=cohort)
    with pytest.raises(CalibrationUnusable, match="templates of 3 numbers"):
        with_calibration(pack_of(SHA), calibration)
