"""A test device as the reference client sees it: its stream, its evidence, and its claims as messages."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Self, assert_never

from facegate.v1 import device_pb2

from device_integrity import RuntimeReport
from device_integrity.camera import CameraClaim, DeviceClaim
from facegate_client import CameraDescription, CapturedImage, Exposure, FrameSource, Pace
from lab.simulator.devices.device import (
    AppAttestAssertion,
    AppAttestEnrolment,
    Evidence,
    KeyChain,
    PlayToken,
    StreamHabit,
    TestDevice,
    WebCryptoProof,
)

_USUAL_RATE: Final = 15.0
_CONSTANT: Final = Exposure(exposure_time_ns=20_000_000, iso=200)


class PlayedSource:
    """Implements ``facegate_client.FrameSource``: changes the frames of another source as the device does."""

    def __init__(self, source: FrameSource, habit: StreamHabit) -> None:
        """Take ownership of the source.

        Args:
            source: The camera of the device, or the one that it replaces.
            habit: The device's changes to frames.
        """
        self._source = source
        self._habit = habit
        self._step_us = round(1e6 / (source.camera.frames_per_second or _USUAL_RATE))
        self._kept: list[CapturedImage] = []
        self._shown = 0
        self._first_us: int | None = None
        self._place = -1

    @property
    def camera(self) -> CameraDescription:
        """The description of the camera."""
        camera = self._source.camera
        return replace(camera, reports_exposure=camera.reports_exposure or self._habit.constant_exposure)

    @property
    def pace(self) -> Pace:
        """The pace of the source."""
        return self._source.pace

    def begin_attempt(self) -> None:
        """Start an attempt of the source."""
        self._source.begin_attempt()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CapturedImage:
        """Return the next frame, changed as the device does.

        Raises:
            StopAsyncIteration: The source has no more frames.
            SourceError: The source failed.
        """
        frame = await anext(self._source)
        shown = self._looped(frame)
        return replace(
            shown,
            capture_time_us=self._timed(frame.capture_time_us),
            lost_before=frame.lost_before,
            exposure=_CONSTANT if self._habit.constant_exposure else frame.exposure,
        )

    async def aclose(self) -> None:
        """Close the source. May be called twice."""
        await self._source.aclose()

    def _looped(self, frame: CapturedImage) -> CapturedImage:
        if not self._habit.loop_frames:
            return frame
        if len(self._kept) < self._habit.loop_frames:
            self._kept.append(frame)
        self._shown += 1
        return self._kept[(self._shown - 1) % len(self._kept)]

    def _timed(self, time_us: int) -> int:
        """Return the nearest free time on the grid; strictly rising."""
        if not self._habit.even_timing:
            return time_us
        if self._first_us is None:
            self._first_us = time_us
        self._place = max(self._place + 1, round((time_us - self._first_us) / self._step_us))
        return self._first_us + self._place * self._step_us


class DeviceAttestor:
    """Implements ``facegate_client.Attestor``."""

    def __init__(
        self, device: TestDevice, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Take the device.

        Args:
            device: The device that makes the evidence.
            now: Returns the time for the evidence.
        """
        self._device = device
        self._now = now

    async def attest(self, *, binding: bytes) -> AsyncIterator[device_pb2.Attestation]:
        """Yield the device's evidence for a stream's binding hash H, 32 bytes."""
        for piece in self._device.evidence(binding, now=self._now()):
            yield _attestation_of(piece)


def _attestation_of(evidence: Evidence) -> device_pb2.Attestation:
    """Return the message of a piece of evidence."""
    match evidence:
        case KeyChain(certificates=certificates, signature=signature):
            return device_pb2.Attestation(
                android_key=device_pb2.AndroidKeyAttestation(
                    certificate_chain=certificates, signature=signature
                )
            )
        case PlayToken(token=token):
            kind = device_pb2.PlayIntegrityToken.KIND_CLASSIC
            return device_pb2.Attestation(
                play_integrity=device_pb2.PlayIntegrityToken(kind=kind, token=token)
            )
        case AppAttestEnrolment(key_id=key_id, attestation_object=attestation):
            return device_pb2.Attestation(
                app_attest=device_pb2.AppAttestAttestation(key_id=key_id, attestation_object=attestation)
            )
        case AppAttestAssertion(key_id=key_id, assertion=assertion):
            return device_pb2.Attestation(
                app_attest_assertion=device_pb2.AppAttestAssertion(key_id=key_id, assertion=assertion)
            )
        case WebCryptoProof(public_key=key, signature=signature, origin=origin):
            return device_pb2.Attestation(
                web_crypto=device_pb2.WebCryptoEvidence(public_key=key, signature=signature, origin=origin)
            )
        case _:
            assert_never(evidence)


def device_profile_of(claim: DeviceClaim) -> device_pb2.DeviceProfile:
    """Return the message of a device's claim."""
    return device_pb2.DeviceProfile(
        platform=device_pb2.Platform.Value(f"PLATFORM_{claim.platform}"),
        manufacturer=claim.manufacturer,
        model=claim.model,
        os_version=claim.os_version,
        app_id=claim.app_id,
        app_version="1.0",
        sdk_version="facegate test device",
    )


def camera_profile_of(claim: CameraClaim) -> device_pb2.CameraProfile:
    """Return the message of a device's claim on its camera."""
    return device_pb2.CameraProfile(
        id=claim.id,
        label=claim.label,
        facing=device_pb2.CameraFacing.Value(f"CAMERA_FACING_{claim.facing}"),
        width=claim.width,
        height=claim.height,
        frames_per_second=claim.frames_per_second,
        sensor_orientation_degrees=claim.sensor_orientation_degrees,
        hardware_level=claim.hardware_level,
        transport=claim.transport,
        focal_lengths_mm=claim.focal_lengths_mm,
        timestamp_source=claim.timestamp_source,
    )


def runtime_findings_of(report: RuntimeReport) -> device_pb2.RuntimeFindings:
    """Return the message of an app's run-time findings."""
    kind = device_pb2.RuntimeFindingKind
    return device_pb2.RuntimeFindings(
        looked_for=sorted(kind.Value(f"RUNTIME_FINDING_KIND_{looked}") for looked in report.looked_for),
        findings=[
            device_pb2.RuntimeFinding(kind=kind.Value(f"RUNTIME_FINDING_KIND_{found.kind}"), name=found.name)
            for found in sorted(report.findings, key=lambda one: (one.kind, one.name))
        ],
    )


def scanner_parts(device: TestDevice) -> dict[str, Any]:
    """Return the arguments of a ``facegate_client.FaceScanner`` that make it the device."""
    return {
        "profile": device_profile_of(device.claim),
        "camera": camera_profile_of(device.camera),
        "attestor": DeviceAttestor(device),
        "runtime_findings": runtime_findings_of(device.report),
    }
