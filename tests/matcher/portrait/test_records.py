"""Portraits in records of ISO/IEC 19794-5 and 39794-5, and in a DG2."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from formats.errors import ImageFault
from matcher.conformance.requirement import IntakeCode, Severity
from matcher.errors import RefusalReason, TrustedImageRefused
from matcher.portrait import accept_portrait
from matcher.portrait_report import PortraitPolicy
from matcher.records import Record2011, RecordVersion, Representations, build_record, serialise, wrap_in_dg2
from tests.matcher.portrait.portraits import POLICY, ZUCKERBERG, refusal
from tests.vision.decoders import decoders
from vision.packs import Pack


class TestRecords:
    def test_a_real_dg2_is_opened(self, embedded: Pack, records: Path) -> None:
        data = next(records.glob("E3V3A__*.bin")).read_bytes()
        report = accept_portrait(data, pack=embedded, policy=POLICY, still_decoder=decoders()).report
        assert report.container == "ISO/IEC 19794-5:2005 in ICAO DG2"
        assert (report.media_type, report.width, report.height) == ("image/jp2", 449, 598)
        sizes = [each for each in report.requirements if each.code is IntakeCode.DECLARED_SIZE]
        assert [each.passed for each in sizes] == [True]

    def test_a_real_record_is_opened_and_its_face_too_small(self, embedded: Pack, records: Path) -> None:
        data = (records / "mosip__test__BiometricInfo__Face__info_face_auth.iso").read_bytes()
        assert refusal(data, embedded).reason is RefusalReason.EYE_DISTANCE_TOO_SMALL
        policy = PortraitPolicy(min_eye_distance=50)
        report = accept_portrait(data, pack=embedded, policy=policy, still_decoder=decoders()).report
        assert report.container == "ISO/IEC 19794-5:2011"

    @pytest.mark.parametrize("version", RecordVersion)
    def test_a_record_gives_the_template_of_its_picture(
        self, embedded: Pack, faces: Path, version: RecordVersion
    ) -> None:
        photo = (faces / ZUCKERBERG.format(1)).read_bytes()
        record = serialise(build_record(photo, version=version))
        alone = accept_portrait(photo, pack=embedded, policy=POLICY)
        inside = accept_portrait(record, pack=embedded, policy=POLICY)
        assert np.array_equal(alone.template.vector, inside.template.vector)
        assert inside.report.container.startswith(("ISO/IEC 19794-5:20", "ISO/IEC 39794-5"))

    def test_wrong_declarations_are_reported_and_ignored(self, embedded: Pack, faces: Path) -> None:
        photo = (faces / ZUCKERBERG.format(1)).read_bytes()
        record = build_record(photo, version=RecordVersion.ISO_19794_5_2011)
        assert isinstance(record, Record2011)
        (face,) = record.representations
        wrong = serialise(replace(record, representations=(replace(face, width=10, height=20),)))
        report = accept_portrait(wrong, pack=embedded, policy=POLICY).report
        assert (report.width, report.height) == (530, 739)
        (size,) = (each for each in report.requirements if each.code is IntakeCode.DECLARED_SIZE)
        assert size.passed is False
        assert size.severity is Severity.ADVISORY
        assert any("530" in note for note in report.notes)

    def test_two_faces_in_a_record(self, embedded: Pack, faces: Path) -> None:
        photo = (faces / ZUCKERBERG.format(1)).read_bytes()
        record = serialise(build_record(photo, version=RecordVersion.ISO_19794_5_2005))
        two = wrap_in_dg2([record, record])
        assert refusal(two, embedded).reason is RefusalReason.RECORD_NOT_ONE_FACE
        first = PortraitPolicy(representations=Representations.FIRST)
        report = accept_portrait(two, pack=embedded, policy=first).report
        assert not any(each.refuses for each in report.requirements)

    def test_other_modalities(self, embedded: Pack, records: Path) -> None:
        finger = next(records.glob("usnistgov__Sampledata__fingerminutia*")).read_bytes()
        assert refusal(finger, embedded).reason is RefusalReason.RECORD_WRONG_MODALITY

    @pytest.mark.parametrize(
        "form", ["iso39794__test_data__ICAO_39794_5_AP_", "test_data__ICAO_39794_5_AP_DG2_"]
    )
    @pytest.mark.parametrize("fields", ["AllFields", "MandFields"])
    def test_a_39794_record_is_its_image(self, embedded: Pack, records: Path, form: str, fields: str) -> None:
        alone = (records / "gmrtd__document__iso39794__test_data__ICAO_39794_5_AP_Face.jpg").read_bytes()
        data = (records / f"gmrtd__document__{form}{fields}.dat").read_bytes()
        inside = accept_portrait(data, pack=embedded, policy=POLICY, still_decoder=decoders())
        outside = accept_portrait(alone, pack=embedded, policy=POLICY, still_decoder=decoders())
        assert np.array_equal(inside.template.vector, outside.template.vector)
        assert inside.report.container == (
            "ISO/IEC 39794-5 in ICAO DG2" if "DG2" in form else "ISO/IEC 39794-5"
        )
        declared = {
            requirement.code: requirement
            for requirement in inside.report.requirements
            if requirement.code.startswith("declared")
        }
        if fields == "MandFields":
            assert declared == {}
            assert inside.report.notes == ()
            return
        # Its fields are examples: the size is not that of its image, the pose nearly is.
        size, pose = declared[IntakeCode.DECLARED_SIZE], declared[IntakeCode.DECLARED_POSE]
        assert (size.measured, size.required, size.passed) == (
            "413 x 531 px",
            "as declared: 572 x 731 px",
            False,
        )
        assert size.clause.startswith("ISO/IEC 39794-5: ")
        assert pose.passed is True
        assert len(inside.report.notes) == 1

    def test_a_39794_record_with_a_broken_image(self, embedded: Pack, records: Path) -> None:
        broken = next(records.glob("gmrtd__document__iso39794__*InvalidImage.dat")).read_bytes()
        assert refusal(broken, embedded).reason is ImageFault.UNSUPPORTED_FORMAT

    def test_a_39794_record_in_xml(self, embedded: Pack) -> None:
        xml = b'<faceImageData xmlns="http://standards.iso.org/iso-iec/39794/-5"/>'
        assert refusal(xml, embedded).reason is RefusalReason.ISO_39794_NOT_SUPPORTED

    def test_a_record_without_a_face_is_refused(self, embedded: Pack, records: Path) -> None:
        data = next(records.glob("gmrtd__document__iso19794__test_data__ISO19794_Test1_Data*")).read_bytes()
        assert refusal(data, embedded).reason is RefusalReason.FACE_NOT_FOUND


@pytest.mark.slow
def test_every_file_of_the_records_is_accepted_or_refused(embedded: Pack, records: Path) -> None:
    """Hostile JPEG 2000 files, wrong modalities and records: always a result or a refusal."""
    reasons = set()
    for path in sorted(records.iterdir()):
        try:
            accept_portrait(path.read_bytes(), pack=embedded, policy=POLICY, still_decoder=decoders())
        except TrustedImageRefused as error:
            reasons.add(error.reason)
    assert reasons >= {
        ImageFault.UNSUPPORTED_FORMAT,
        ImageFault.MALFORMED,
        ImageFault.TOO_MANY_PIXELS,
        RefusalReason.FACE_NOT_FOUND,
        RefusalReason.EYE_DISTANCE_TOO_SMALL,
        RefusalReason.RECORD_WRONG_MODALITY,
    }
    # The folder has ISO/IEC 39794-5 records in their binary form only, which is read.
    assert RefusalReason.ISO_39794_NOT_SUPPORTED not in reasons
