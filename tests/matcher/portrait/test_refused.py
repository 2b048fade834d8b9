"""Every refusal of an image."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from matcher.errors import RefusalReason
from matcher.portrait_report import PortraitPolicy
from tests.matcher.portrait.portraits import ZUCKERBERG, bomb, png, refusal
from vision.face import BgrImage, DetectedFace
from vision.packs import Pack


class _Blind:
    scheme = "mediapipe478"

    def locate(self, image: BgrImage, face: DetectedFace) -> None:
        return None


class TestRefused:
    def test_no_bytes(self, pack: Pack) -> None:
        assert refusal(b"", pack).reason is RefusalReason.IMAGE_EMPTY

    def test_one_byte_too_many_is_refused(self, pack: Pack) -> None:
        error = refusal(bomb(600, 600), pack, PortraitPolicy(max_bytes=len(bomb(600, 600)) - 1))
        assert error.reason is RefusalReason.IMAGE_TOO_LARGE
        assert error.details["bytes"] == error.details["max_bytes"] + 1  # type: ignore[operator]

    @pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (10_001, 100)])
    def test_more_pixels_than_allowed(self, pack: Pack, width: int, height: int) -> None:
        error = refusal(bomb(width, height), pack)
        assert error.reason is RefusalReason.IMAGE_TOO_MANY_PIXELS
        assert error.details["width"] == width

    def test_a_declared_thumbnail(self, pack: Pack) -> None:
        assert refusal(bomb(31, 600), pack).reason is RefusalReason.IMAGE_TOO_SMALL

    def test_a_truncated_file_is_refused(self, pack: Pack, astronaut: BgrImage) -> None:
        assert refusal(png(astronaut)[:5000], pack).reason is RefusalReason.IMAGE_MALFORMED

    @pytest.mark.parametrize("data", [b"GIF89a" + bytes(50), b"%PDF-1.7\n", b"II*\0" + bytes(50), b"\0" * 99])
    def test_other_formats(self, pack: Pack, data: bytes) -> None:
        error = refusal(data, pack)
        assert error.reason is RefusalReason.IMAGE_FORMAT_NOT_SUPPORTED
        assert "PNG, JPEG or JPEG 2000" in str(error)

    def test_an_image_without_a_face_is_refused(self, pack: Pack) -> None:
        error = refusal(png(np.full((600, 600, 3), 127, dtype=np.uint8)), pack)
        assert error.reason is RefusalReason.FACE_NOT_FOUND
        assert error.details == {"faces": 0, "required_faces": 1}

    def test_a_face_without_features_is_refused(self, pack: Pack, faces: Path) -> None:
        data = (faces / ZUCKERBERG.format(1)).read_bytes()
        error = refusal(data, replace(pack, landmarker=_Blind()))
        assert error.reason is RefusalReason.FACE_NOT_FOUND
        assert "upright and from the front" in str(error)

    def test_a_jpeg_2000_file_without_a_face(self, pack: Pack, records: Path) -> None:
        data = (records / "uclouvain__input__conformance__file9.jp2").read_bytes()
        assert refusal(data, pack).reason is RefusalReason.FACE_NOT_FOUND

    @pytest.mark.parametrize(
        "name",
        [
            "two_people.jpg",
            "knn_examples__test__obama_and_biden.jpg",
            "knn_examples__test__kit_with_rose.jpg",
        ],
    )
    def test_two_people_are_refused(self, pack: Pack, faces: Path, name: str) -> None:
        error = refusal((faces / f"ageitgey__examples__{name}").read_bytes(), pack)
        assert error.reason is RefusalReason.FACE_NOT_UNIQUE
        assert int(error.details["faces"]) >= 2
        assert float(error.details["second_width_px"]) >= float(error.details["second_width_limit_px"])
        boxes = [
            [int(part) for part in box.split(",")] for box in str(error.details["face_boxes"]).split(";")
        ]
        assert len(boxes) == min(int(error.details["faces"]), 5)
        assert round(float(error.details["largest_width_px"])) == max(width for _, _, width, _ in boxes)

    @pytest.mark.parametrize("name", ["obama_partial_face.jpg", "obama_partial_face2.jpg"])
    def test_a_face_that_is_cut_off_is_refused(self, pack: Pack, faces: Path, name: str) -> None:
        error = refusal((faces / f"ageitgey__tests__test_images__{name}").read_bytes(), pack)
        assert error.reason is RefusalReason.FACE_CUT_OFF
        assert float(error.details["inside_fraction"]) < float(error.details["min_inside_fraction"])

    @pytest.mark.parametrize(
        ("name", "eye_distance"),
        [
            ("mosip__test__BiometricInfo__Face__info_face_auth.jp2", 60),
            (
                "openwallet-fou__multipaz-backend-server__src__main__resources__resources__img_erika_portrait.jpf",
                39,
            ),
        ],
    )
    def test_eyes_too_close_together(self, pack: Pack, records: Path, name: str, eye_distance: float) -> None:
        error = refusal((records / name).read_bytes(), pack)
        assert error.reason is RefusalReason.EYE_DISTANCE_TOO_SMALL
        assert error.details["min_eye_distance_px"] == 85.0
        assert float(error.details["eye_distance_px"]) == pytest.approx(eye_distance, rel=0.1)

    def test_the_astronaut_as_she_comes(self, embedded: Pack, astronaut: BgrImage) -> None:
        error = refusal(png(astronaut), embedded)
        assert error.reason is RefusalReason.EYE_DISTANCE_TOO_SMALL

    def test_the_error_contains_nothing_of_the_image(self, pack: Pack, records: Path) -> None:
        error = refusal((records / "mosip__test__BiometricInfo__Face__info_face_auth.jp2").read_bytes(), pack)
        assert all(isinstance(value, str | int | float) for value in error.details.values())
