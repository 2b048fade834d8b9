"""Whole devices, honest and not: their claims and frames through every test to an assurance."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from device_integrity.camera import (
    CameraClaim,
    CameraFacing,
    DeviceClaim,
    FrameClaim,
    Platform,
    check_device,
    check_metadata,
    check_name,
    check_profile,
    load_fingerprints,
)
from device_integrity.device_test import Assurance, Manipulation
from device_integrity.policy import DeviceAssessment, assess, check_contradictions
from device_integrity.policy.signs import InjectionInstrument, InjectionMethod
from device_integrity.stream import StreamTracer, check_stream
from formats.exposure import ExposureClaim
from tests.device_integrity.policy.checks import DEFAULT_DEMANDS, attested, made
from tests.device_integrity.stream.streams import camera_stream, decode

_LISTS = load_fingerprints()
_PHONE = DeviceClaim(
    platform=Platform.ANDROID, manufacturer="Google", model="Pixel 8", os_version="16", app_id="org.bank"
)
_CAMERA = CameraClaim(
    id="1",
    label="front",
    facing=CameraFacing.FRONT,
    width=640,
    height=480,
    sensor_orientation_degrees=270,
    hardware_level="LEVEL_3",
    focal_lengths_mm=(2.74,),
    timestamp_source="boottime",
)
_COUNT = 40
_STEP_US = 62_500


def _uneven(scale: float, seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    return [round(at * _STEP_US + jitter) for at, jitter in enumerate(rng.gamma(2, scale, _COUNT))]


def _assessed(
    *,
    device: DeviceClaim = _PHONE,
    camera: CameraClaim = _CAMERA,
    jpegs: Sequence[bytes] = (),
    captured: Sequence[int] = (),
    delays: Sequence[int] = (),
    attestation: str = "android_key",
) -> DeviceAssessment:
    frames = jpegs or camera_stream(_COUNT)
    times = captured or _uneven(200, 1)
    late = delays or [40_000 + jitter - at * _STEP_US for at, jitter in enumerate(_uneven(4_000, 2))]
    tracer, claims = StreamTracer(), []
    for at, jpeg in enumerate(frames):
        exposure = ExposureClaim(exposure_time_ns=20_000_000 + 100_000 * (at // 8), iso=200)
        claims.append(
            FrameClaim(
                capture_time_us=times[at],
                width=320,
                height=240,
                rotation_degrees=270,
                flash_step=at // 8,
                exposure=exposure,
            )
        )
        tracer.add(jpeg, decode(jpeg), capture_time_us=times[at], arrival_time_us=times[at] + late[at])
    stream = tracer.measurements
    checks = (
        *attested(attestation),
        *made("server_key.same"),
        check_device(device, camera, fingerprints=_LISTS),
        check_name(camera, fingerprints=_LISTS),
        *check_profile(camera, platform=device.platform),
        *check_metadata(claims, camera),
        *check_stream(stream),
        *check_contradictions(
            device=device, camera=camera, evidence={attestation}, frames=claims, traces=stream.frames
        ),
    )
    return assess(
        checks,
        platform=device.platform,
        demands=DEFAULT_DEMANDS,
        transcript_bound=True,
        active_challenge=True,
    )


def test_an_honest_phone_is_trusted_highly() -> None:
    found = _assessed()
    assert (found.assurance, found.unmet, found.signs) == (Assurance.HIGH, (), ())


def test_a_virtual_camera_with_an_honest_label_is_refused() -> None:
    found = _assessed(camera=replace(_CAMERA, label="OBS Virtual Camera"))
    assert found.assurance is Assurance.NONE
    assert found.unmet
    assert found.signs[0].method is InjectionMethod.VIRTUAL_CAMERA


def test_a_lying_label_does_not_help_a_looped_file() -> None:
    once = camera_stream(_COUNT // 2)
    found = _assessed(camera=replace(_CAMERA, label="Front Camera"), jpegs=[*once, *once])
    assert found.assurance is Assurance.NONE
    assert found.unmet
    (sign,) = [sign for sign in found.signs if sign.decided]
    assert (sign.of, sign.instrument) == (Manipulation.INJECTION, InjectionInstrument.RECORDED_VIDEO)


def test_a_perfectly_timed_injector_is_suspected_and_not_decided_upon() -> None:
    found = _assessed(captured=[at * _STEP_US for at in range(_COUNT)], delays=[1_000] * _COUNT)
    assert found.assurance is Assurance.MEDIUM
    assert found.unmet == ()
    assert [sign.suspected for sign in found.signs] == [True]
