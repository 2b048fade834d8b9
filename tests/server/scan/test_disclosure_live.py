"""The app cannot infer the cause of a failure over the wire, neither from codes nor from the time."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio
from facegate.v1 import device_pb2, feedback_pb2, result_pb2, scan_pb2

from tests.sampling import some_fast
from tests.server.device.devices import ANDROID, camera_of
from tests.server.live import LiveServer, Picture, pictures, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice

_GRACE_SECONDS = 2
_SHOWN_BY_ALL = {feedback_pb2.FEEDBACK_CODE_GOOD}
_DEMANDS = """
[device.demands.android]
android_key = "required"
camera = "required"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def discreet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server that waits for evidence that never arrives."""
    android = {
        "apps": [{"package": "org.example.bank", "certificate_sha256": ["ab" * 32]}],
        "revocation_file": "never-read.json",
    }
    settings = settings_for(
        tmp_path_factory.mktemp("discreet"), sandbox=False, device_integrity={"android": android}
    )
    folder = settings.policies.folder
    assert folder is not None
    write_policy(folder, "discreet")
    path = folder / "discreet.toml"
    text = path.read_text().replace(
        "[deadlines]\n", f"[deadlines]\nattestation_grace_seconds = {_GRACE_SECONDS}\n"
    )
    path.write_text(text + _DEMANDS)
    async with serving(settings) as server:
        yield server


def _virtual() -> device_pb2.CameraProfile:
    camera = device_pb2.CameraProfile()
    camera.CopyFrom(camera_of(ANDROID))
    camera.label = "OBS Virtual Camera"
    return camera


def _frozen() -> tuple[Picture, ...]:
    first, *_ = pictures()
    return tuple(replace(first, time_us=picture.time_us) for picture in pictures())


@dataclass(frozen=True, slots=True)
class _Cause:
    """A person and a device, and the reason that the orchestrator gets for the failure."""

    shown: Sequence[Picture]
    camera: device_pb2.CameraProfile
    reason: "result_pb2.FailureReason.ValueType"


_R = result_pb2


def _honest() -> device_pb2.CameraProfile:
    return camera_of(ANDROID)


_CAUSES: dict[str, Callable[[], _Cause]] = {
    "another person": lambda: _Cause(pictures("red-shirt"), _honest(), _R.FAILURE_REASON_NOT_SAME_PERSON),
    "a spoof": lambda: _Cause(_frozen(), _honest(), _R.FAILURE_REASON_SPOOF),
    "a virtual camera": lambda: _Cause(pictures(), _virtual(), _R.FAILURE_REASON_DEVICE_MANIPULATED),
    "a virtual camera that shows too little": lambda: _Cause(
        pictures()[:10], _virtual(), _R.FAILURE_REASON_DEVICE_MANIPULATED
    ),
    "no evidence": lambda: _Cause(pictures(), _honest(), _R.FAILURE_REASON_DEVICE_NOT_TRUSTED),
}


@pytest.mark.parametrize("name", some_fast(_CAUSES, step=len(_CAUSES)))
async def test_the_app_cannot_distinguish_causes_of_a_failure(discreet: LiveServer, name: str) -> None:
    cause = _CAUSES[name]()
    upload = await discreet.upload(policy="discreet")
    stream = await RawDevice(discreet.device, upload).open(device=ANDROID, camera=cause.camera)
    await stream.begin()
    await stream.send_frames(cause.shown)
    began = time.monotonic()
    await stream.send(stream.end())
    result = await stream.result()
    waited = time.monotonic() - began
    assert await stream.outcome() is None

    assert cause.reason in (await discreet.finish(upload.check_id)).result.reasons
    assert (result.status, result.another_attempt) == (scan_pb2.SCAN_STATUS_FAILURE, False)
    shown = {message.feedback.code for message in stream.seen if message.WhichOneof("message") == "feedback"}
    assert set(result.feedback) - {feedback_pb2.FEEDBACK_CODE_FAILED} == shown - _SHOWN_BY_ALL
    assert result.feedback[0] == feedback_pb2.FEEDBACK_CODE_FAILED
    # All causes wait for the whole grace period, whatever was known before its end.
    assert waited >= _GRACE_SECONDS
