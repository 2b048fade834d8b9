import io

from PIL import Image

from device_integrity.check import DeviceFinding
from device_integrity.stream import StreamTracer
from device_integrity.stream.encoder import check_encoder
from tests.device_integrity.stream.streams import camera_stream, decode, encode, frames, measured


def _pillow(comment: bytes = b"") -> bytes:
    made = io.BytesIO()
    Image.fromarray(frames(1)[0]).convert("RGB").save(made, "JPEG", progressive=True, comment=comment)
    return made.getvalue()


def test_one_encoder_at_several_qualities_passes() -> None:
    jpegs = [encode(luma, quality=90 - at) for at, luma in enumerate(frames(10))]
    assert check_encoder(measured(jpegs).frames).outcome is DeviceFinding.PASS


def test_another_encoder_in_between_is_noticed() -> None:
    check = check_encoder(measured([*camera_stream(4), _pillow(), *camera_stream(4)]).frames)
    assert (check.reason, check.soft) == ("ENCODER_CHANGED", True)


def test_tools_that_name_themselves_are_noticed() -> None:
    assert check_encoder(measured([_pillow(b"Lavc61.3.100")]).frames).reason == "VIDEO_TOOL"
    assert check_encoder(measured([_pillow(b"Created with GIMP")]).frames).reason == "EDITOR"


def test_a_header_that_cannot_be_read_is_no_pass() -> None:
    tracer = StreamTracer()
    tracer.add(b"\xff\xd8broken", decode(_pillow()), capture_time_us=0, arrival_time_us=0)
    assert check_encoder(tracer.measurements.frames).outcome is DeviceFinding.UNAVAILABLE
    assert check_encoder([]).outcome is DeviceFinding.UNAVAILABLE
