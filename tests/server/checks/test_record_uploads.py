"""Facial records through UploadTrustedImage: real ones, and the policies' rules for records."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from matcher.records import RecordVersion, build_record, serialise, wrap_in_dg2
from tests.hostile.iso_39794_files import with_faces_39794
from tests.hostile.record_files import record_of, with_faces
from tests.server.live import LiveServer, pictures, portrait, serving, settings_for
from tests.server.raw_device import RawDevice
from tests.server.refusals import Refused, refused

_2005, _2011 = RecordVersion.ISO_19794_5_2005, RecordVersion.ISO_19794_5_2011
_39794 = RecordVersion.ISO_39794_5
_PORTRAITS = {
    "first-face": 'representations = "first"',
    "sharper": '[portrait.requirements.sharpness]\nseverity = "hard"\nminimum_score = 100',
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    settings = settings_for(tmp_path_factory.mktemp("server"))
    folder = settings.policies.folder
    assert folder is not None
    plain = (folder / "test.toml").read_text()
    for name, rules in _PORTRAITS.items():
        text = plain.replace('name = "test"', f'name = "{name}"')
        (folder / f"{name}.toml").write_text(f"{text}\n[portrait]\n{rules}\n")
    async with serving(settings) as server:
        yield server


async def _upload(live: LiveServer, image: bytes, policy: str = "") -> service_pb2.UploadTrustedImageResponse:
    return await live.service.UploadTrustedImage(
        service_pb2.UploadTrustedImageRequest(image=image, policy=policy)
    )


async def _refusal(live: LiveServer, image: bytes, policy: str = "") -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _upload(live, image, policy)
    return refused(caught.value)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The findings on a real record."""

    container: str
    size: tuple[int, int]
    eye_distance: float


_ACCEPTED = {
    "E3V3A__abandoned__passporthostapi-test__samples__loes2006__ef0102.bin": Accepted(
        "ISO/IEC 19794-5:2005 in ICAO DG2", (449, 598), 130.4
    ),
    "gmrtd__document__iso39794__test_data__ICAO_39794_5_AP_Face.jpg": Accepted("", (413, 531), 121.0),
    "gmrtd__document__iso39794__test_data__ICAO_39794_5_AP_AllFields.dat": Accepted(
        "ISO/IEC 39794-5", (413, 531), 121.0
    ),
    "gmrtd__document__iso39794__test_data__ICAO_39794_5_AP_MandFields.dat": Accepted(
        "ISO/IEC 39794-5", (413, 531), 121.0
    ),
    "gmrtd__document__test_data__ICAO_39794_5_AP_DG2_AllFields.dat": Accepted(
        "ISO/IEC 39794-5 in ICAO DG2", (413, 531), 121.0
    ),
    "gmrtd__document__test_data__ICAO_39794_5_AP_DG2_MandFields.dat": Accepted(
        "ISO/IEC 39794-5 in ICAO DG2", (413, 531), 121.0
    ),
}

_TOO_SMALL = ("EYE_DISTANCE_TOO_SMALL", {"minEyeDistancePx": "85.0"})
_REFUSED: dict[str, tuple[str, dict[str, str]]] = {
    "gmrtd__document__iso19794__test_data__ISO19794_Test1_Data.bin": ("FACE_NOT_FOUND", {"faces": "0"}),
    "gmrtd__document__iso19794__test_data__ISO19794_Test2_Data_InvalidImage.bin": (
        "IMAGE_FORMAT_NOT_SUPPORTED",
        {},
    ),
    "gmrtd__document__iso39794__test_data__ICAO_39794_5_AP_MandFields_InvalidImage.dat": (
        "IMAGE_FORMAT_NOT_SUPPORTED",
        {},
    ),
    "mosip__test__BiometricInfo__Face__info_face_auth.iso": _TOO_SMALL,
    "mosip__test__BiometricInfo__Face__info_face_auth.jp2": _TOO_SMALL,
    "usnistgov__Sampledata__fingerminutia__ISO-19794-2_2005__Appendix-C2_Example.raw": (
        "IMAGE_FORMAT_NOT_SUPPORTED",
        {"modality": "finger minutiae", "format": "ISO/IEC 19794-2"},
    ),
    "usnistgov__irisimage2011__src__test__iris01.iso2011": (
        "IMAGE_FORMAT_NOT_SUPPORTED",
        {"modality": "iris image", "format": "ISO/IEC 19794-6"},
    ),
    "usnistgov__src__test__test_data__img.jp2": ("FACE_NOT_FOUND", {"faces": "0"}),
}


@pytest.mark.parametrize(
    ("version", "wrapped"), [(_2005, False), (_2011, False), (_39794, False), (_2005, True), (_39794, True)]
)
async def test_a_record_with_an_incomplete_picture_is_refused(
    live: LiveServer, version: RecordVersion, wrapped: bool
) -> None:
    whole = portrait()
    record = serialise(build_record(whole[: len(whole) * 2 // 5] + b"\xff\xd9", version=version))
    refusal = await _refusal(live, wrap_in_dg2([record]) if wrapped else record)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_MALFORMED")


@pytest.mark.parametrize("name", _ACCEPTED)
async def test_real_records_with_a_face_large_enough_are_accepted(
    live: LiveServer, assets: Path, name: str
) -> None:
    expected = _ACCEPTED[name]
    portrait = (await _upload(live, (assets / "data" / "iso" / name).read_bytes())).portrait
    assert portrait.container == expected.container
    assert portrait.media_type == "image/jp2"
    assert (portrait.width, portrait.height) == expected.size
    assert portrait.eye_distance_px == pytest.approx(expected.eye_distance, rel=0.05)


@pytest.mark.parametrize("name", _REFUSED)
async def test_other_real_records_are_refused_with_their_reason(
    live: LiveServer, assets: Path, name: str
) -> None:
    reason, metadata = _REFUSED[name]
    answer = await _refusal(live, (assets / "data" / "iso" / name).read_bytes())
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert metadata.items() <= answer.metadata.items()


async def test_a_39794_record_in_xml_has_a_reason_of_its_own(live: LiveServer) -> None:
    answer = await _refusal(live, b'<a xmlns="http://standards.iso.org/iso-iec/39794/-5"/>')
    assert (answer.reason, answer.metadata) == ("ISO_39794_NOT_SUPPORTED", {"format": "ISO/IEC 39794-5"})


async def test_a_39794_record_with_two_faces_is_refused_by_every_policy(live: LiveServer) -> None:
    record = with_faces_39794(2)
    for policy in ("", "first-face"):
        answer = await _refusal(live, record, policy)
        assert answer.reason == "MULTIPLE_FACES"
        assert answer.metadata == {"representations": "2", "requiredRepresentations": "1"}


async def test_the_eyes_of_the_real_2011_record_are_measured_in_its_own_picture(
    live: LiveServer, assets: Path
) -> None:
    folder = assets / "data" / "iso"
    record, picture = [
        await _refusal(
            live, (folder / f"mosip__test__BiometricInfo__Face__info_face_auth.{kind}").read_bytes()
        )
        for kind in ("iso", "jp2")
    ]
    assert record.metadata == picture.metadata
    assert float(record.metadata["eyeDistancePx"]) == pytest.approx(59, abs=3)


async def test_the_report_is_that_of_the_picture_in_the_record(live: LiveServer) -> None:
    reports = [
        (await _upload(live, data)).portrait
        for data in (
            record_of(_2005),
            record_of(_2011),
            record_of(_39794),
            wrap_in_dg2([record_of(_2005)]),
            wrap_in_dg2([record_of(_39794)]),
        )
    ]
    assert [report.container for report in reports] == [
        "ISO/IEC 19794-5:2005",
        "ISO/IEC 19794-5:2011",
        "ISO/IEC 39794-5",
        "ISO/IEC 19794-5:2005 in ICAO DG2",
        "ISO/IEC 39794-5 in ICAO DG2",
    ]
    assert len({(report.width, report.height, report.eye_distance_px) for report in reports}) == 1
    assert {report.media_type for report in reports} == {"image/jpeg"}


@pytest.mark.parametrize("version", [_2005, _39794])
async def test_a_person_is_verified_against_a_record(live: LiveServer, version: RecordVersion) -> None:
    upload = await _upload(live, wrap_in_dg2([record_of(version)]))
    stream = await RawDevice(live.device, upload).open()
    await stream.run_attempt(pictures())
    assert await stream.outcome() is None
    answer = await live.finish(upload.check_id)
    assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS


@pytest.mark.parametrize("version", [_2005, _2011])
async def test_a_policy_may_take_the_first_of_several_faces(live: LiveServer, version: RecordVersion) -> None:
    record = with_faces(version, 2)
    answer = await _refusal(live, record)
    assert answer.reason == "MULTIPLE_FACES"
    assert answer.metadata == {"representations": "2", "requiredRepresentations": "1"}
    assert (await _upload(live, record, "first-face")).check_id


async def test_a_hard_requirement_is_refused_by_its_name(live: LiveServer) -> None:
    assert (await _upload(live, record_of(_2011))).check_id
    answer = await _refusal(live, record_of(_2011), "sharper")
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_NOT_CONFORMANT")
    assert answer.metadata["requirement"] == "sharpness"
    assert "required" in answer.metadata
