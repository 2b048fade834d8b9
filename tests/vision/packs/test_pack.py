"""A pack with the calibration of an operator instead of the packaged one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.match.calibration import render_calibration
from research.photo_match.cohort import fit_cohort
from tests.evaluation.match.reports import pack_of
from vision.errors import CalibrationUnusable, PackDataInvalid, PackNotFound
from vision.packs import CalibrationRecord, MatchCalibration, ScorePoint
from vision.packs.calibration import Provenance
from vision.packs.pack import read_operator_calibration, with_calibration

SHA = "ab" * 32


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
