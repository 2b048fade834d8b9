"""Sandbox checks beside real ones of the same tenant, on a real server."""

import re
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from json import loads
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from facegate.v1 import device_pb2, result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from device_integrity.policy.demands import DECISIVE_CHECKS
from facegate_client import SandboxResultError, fetch_key_set, verify_response
from server.base.sandbox import TOLERATED, tolerated_checks
from tests.server.api_keys import Keyed, write_keys
from tests.server.live import Picture, fresh_pictures, pictures, portrait, serving, settings_for
from tests.server.raw_device import RawDevice
from tests.server.refusals import refusal_of

_REAL, _SANDBOX = "real", "sandbox"


@dataclass(frozen=True, slots=True)
class Callers(Keyed):
    """A server with two callers of one tenant."""

    async def upload(self, caller: str, *, request_id: str = "") -> service_pb2.UploadTrustedImageResponse:
        return await self.live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(
                image=portrait(), policy="evaluation", request_id=request_id
            ),
            metadata=self.metadata(caller),
        )

    async def finish(self, caller: str, check_id: str) -> service_pb2.FinishCheckResponse:
        return await self.live.service.FinishCheck(
            service_pb2.FinishCheckRequest(check_id=check_id), metadata=self.metadata(caller)
        )

    async def check(
        self, caller: str, shown: Sequence[Picture], **start: Any
    ) -> service_pb2.FinishCheckResponse:
        """A whole check by a caller; ``start`` is the device's claims."""
        upload = await self.upload(caller)
        stream = await RawDevice(self.live.device, upload).open(**start)
        await stream.run_attempt(shown)
        await stream.outcome()
        await self.live.unattended()
        return await self.finish(caller, upload.check_id)

    async def created(self) -> dict[str, float]:
        """How many checks were created, of real callers ("false") and of sandbox callers."""
        found = re.findall(
            r'facegate_checks_created_total\{sandbox="(\w+)"\} (\S+)', await self.live.metrics()
        )
        return {sandbox: float(count) for sandbox, count in found}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def callers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callers]:
    """A server for the module."""
    folder: Path = tmp_path_factory.mktemp("sandbox")
    listeners, keys = write_keys(
        folder,
        {_REAL: 'roles = ["orchestrator"]', _SANDBOX: 'roles = ["orchestrator"]\nsandbox = true'},
    )
    async with serving(settings_for(folder, listeners=listeners)) as live:
        yield Callers(live, keys)


def _header(answer: service_pb2.FinishCheckResponse) -> dict[str, object]:
    head = answer.result_jws.partition(".")[0]
    header: dict[str, object] = loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return header


def _said(result: result_pb2.CheckResult, name: str) -> str:
    return next(check.reason for check in result.device.checks if check.name == name)


def test_tolerated_tests_are_decisive_outside_the_sandbox() -> None:
    assert set(DECISIVE_CHECKS) >= TOLERATED
    assert tolerated_checks(["runtime.hooking"], sandbox=False) == {"runtime.hooking"}
    assert tolerated_checks(["runtime.hooking"], sandbox=True) == TOLERATED | {"runtime.hooking"}


async def test_only_results_of_sandbox_checks_are_marked(callers: Callers) -> None:
    keys = await fetch_key_set(f"http://127.0.0.1:{callers.live.server.admin_port}/.well-known/jwks.json")
    marked = await callers.check(_SANDBOX, pictures())
    assert marked.result.sandbox
    assert _header(marked)["sandbox"] is True
    with pytest.raises(SandboxResultError):
        verify_response(marked, keys, check_id=marked.result.check_id)
    accepted = verify_response(marked, keys, check_id=marked.result.check_id, accept_sandbox=True)
    assert accepted == marked.result

    real = await callers.check(_REAL, pictures())
    assert not real.result.sandbox
    assert "sandbox" not in _header(real)
    assert verify_response(real, keys, check_id=real.result.check_id) == real.result


async def test_one_request_identifier_of_both_callers_makes_two_checks_counted_apart(
    callers: Callers,
) -> None:
    request_id = str(uuid4())
    before = await callers.created()
    made = {
        caller: (await callers.upload(caller, request_id=request_id)).check_id for caller in (_SANDBOX, _REAL)
    }
    assert made[_SANDBOX] != made[_REAL]
    assert await callers.created() == {word: before.get(word, 0.0) + 1 for word in ("true", "false")}
    for caller, check_id in made.items():
        assert (await callers.upload(caller, request_id=request_id)).check_id == check_id
        assert (await callers.live.record(check_id)).sandbox is (caller == _SANDBOX)


async def test_a_tenants_real_caller_has_its_sandbox_checks_and_not_the_other_way_round(
    callers: Callers,
) -> None:
    marked = await callers.check(_SANDBOX, pictures())
    assert (await callers.finish(_REAL, marked.result.check_id)).result == marked.result
    real = await callers.upload(_REAL)
    assert (await refusal_of(callers.finish(_SANDBOX, real.check_id))).reason == "CHECK_NOT_FOUND"
    service = callers.live.service
    for call in (
        service.GetCheck(
            service_pb2.GetCheckRequest(check_id=real.check_id), metadata=callers.metadata(_SANDBOX)
        ),
        service.CancelCheck(
            service_pb2.CancelCheckRequest(check_id=real.check_id), metadata=callers.metadata(_SANDBOX)
        ),
        service.WatchCheck(
            service_pb2.WatchCheckRequest(check_id=real.check_id), metadata=callers.metadata(_SANDBOX)
        ).read(),
    ):
        assert (await refusal_of(call)).reason == "CHECK_NOT_FOUND"
    progress = await service.GetCheck(
        service_pb2.GetCheckRequest(check_id=marked.result.check_id), metadata=callers.metadata(_REAL)
    )
    assert progress.progress.sandbox


@pytest.mark.slow
async def test_scan_memory_of_sandbox_and_production_is_separate(callers: Callers) -> None:
    shown, seen = pictures("grey-shirt"), "FRAMES_SEEN_BEFORE"
    said = [
        (caller, _said((await callers.check(caller, shown)).result, "memory.frames") == seen)
        for caller in (_SANDBOX, _SANDBOX, _REAL, _REAL, _SANDBOX)
    ]
    assert said == [
        (_SANDBOX, False),
        (_SANDBOX, True),
        (_REAL, False),
        (_REAL, True),
        (_SANDBOX, True),
    ]


def _decided_by(result: result_pb2.CheckResult) -> list[str]:
    return [check.name for check in result.device.checks if check.decisive and not check.tolerated]


_VIRTUAL_CAMERA = device_pb2.CameraProfile(label="OBS Virtual Camera")
_EMULATOR = device_pb2.DeviceProfile(
    platform=device_pb2.PLATFORM_ANDROID, manufacturer="Google", model="sdk_gphone64_x86_64"
)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("camera.name", {"camera": _VIRTUAL_CAMERA}),
        pytest.param("device.emulator", {"device": _EMULATOR}, marks=pytest.mark.slow),
    ],
)
async def test_a_device_that_fails_a_real_check_is_tolerated_in_the_sandbox(
    callers: Callers, name: str, start: dict[str, Any]
) -> None:
    real = (await callers.check(_REAL, fresh_pictures(), **start)).result
    assert list(real.reasons) == [result_pb2.FAILURE_REASON_DEVICE_MANIPULATED]
    assert _decided_by(real) == [name]
    assert not real.device.tolerated_checks

    sandbox = (await callers.check(_SANDBOX, fresh_pictures(), **start)).result
    assert sandbox.status == result_pb2.CHECK_STATUS_SUCCESS
    assert _decided_by(sandbox) == []
    assert {check.name for check in sandbox.device.checks if check.tolerated} == {name}
    assert set(sandbox.device.tolerated_checks) == TOLERATED
