"""Calibration files: the packaged ones, and those that break the schema."""

import hashlib
import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.errors import PackDataInvalid, PackIncomplete
from vision.packs.calibration import (
    CalibrationRecord,
    MatchCalibration,
    ScorePoint,
    load_calibration,
    parse_calibration,
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
def test_what_breaks_the_schema_is_refused(old: str, new: str) -> None:
    assert old in GOOD
    with pytest.raises(PackDataInvalid):
        parse_calibration(GOOD.replace(old, new), source="broken.toml")


@pytest.mark.parametrize("name", ["identities", "genuine_pairs", "impostor_pairs"])
def test_a_count_of_hundreds_of_digits_is_refused(name: str) -> None:
    text = re.sub(rf"{name} = \d+", f"{name} = 1{'0' * 400}", GOOD)
    assert text != GOOD
    with pytest.raises(PackDataInvalid, match="1329 bits"):
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


def test_who_measured_is_told_apart() -> None:
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
