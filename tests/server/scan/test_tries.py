"""Limits on failed checks, on a real server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import verification_service_pb2 as service_pb2

from server.access.api_keys import new_api_key
from simulator.scene import ScanKind
from tests.server.live import LiveServer, pictures, portrait, serving, settings_for
from tests.server.raw_device import Ended, RawDevice
from tests.server.refusals import Refused, refused

_C = grpc.StatusCode
_ATTACK = pictures(kind=ScanKind.FROZEN_FRAME)
_GENUINE = pictures()
_CALLERS = ("bank", "branch", "tests")


class Callers:
    """A server with two tenants, and a sandbox caller of the first tenant."""

    def __init__(self, live: LiveServer, keys: dict[str, str]) -> None:
        self.live = live
        self._keys = keys

    async def upload(
        self, caller: str = "bank", *, subject: str = "", person: str = "astronaut", mark: bytes = b""
    ) -> service_pb2.UploadTrustedImageResponse:
        return await self.live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(
                # Bytes after the end of a JPEG change only its hash.
                image=portrait(person) + mark,
                policy="test",
                subject_reference=subject,
            ),
            metadata=(("authorization", f"Bearer {self._keys[caller]}"),),
        )

    async def upload_refused(self, caller: str = "bank", **fields: str | bytes) -> Refused:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.upload(caller, **fields)  # type: ignore[arg-type]
        return refused(caught.value)

    async def spoof(self, upload: service_pb2.UploadTrustedImageResponse) -> None:
        stream = await RawDevice(self.live.device, upload).open()
        await stream.run_attempt(_ATTACK)
        await stream.outcome()

    async def fail(self, times: int, caller: str = "bank", *, subject: str = "", mark: bytes = b"") -> None:
        for number in range(times):
            # Each check has another portrait, unless a portrait is given.
            own = mark or f"{subject}{number}".encode()
            await self.spoof(await self.upload(caller, subject=subject, mark=own))
        await self.live.unattended()


@pytest_asyncio.fixture(loop_scope="session")
async def callers(tmp_path: Path) -> AsyncIterator[Callers]:
    keys = {caller: new_api_key() for caller in _CALLERS}
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    file.write_text(
        "".join(
            f'[[key]]\nname = "{caller}"\nsha256 = "{digest}"\nroles = ["orchestrator"]\n'
            f'tenant = "{"branch" if caller == "branch" else "bank"}"\n'
            f"sandbox = {str(caller == 'tests').lower()}\n"
            for caller, (_, digest) in keys.items()
        )
    )
    listeners = {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": file}, "admin": {"port": 0}}
    async with serving(settings_for(tmp_path, listeners=listeners, limits={"failures": {}})) as live:
        yield Callers(live, {caller: key for caller, (key, _) in keys.items()})


def _assert_limited(refusal: Refused, kind: str, *, least: int, most: int) -> None:
    assert (refusal.code, refusal.reason) == (_C.RESOURCE_EXHAUSTED, "TOO_MANY_FAILURES")
    assert refusal.retry_seconds is not None
    assert least <= refusal.retry_seconds <= most
    assert refusal.metadata == {"limited": kind, "retrySeconds": f"{refusal.retry_seconds:.0f}"}


@pytest.mark.slow
async def test_after_five_spoofs_a_subject_is_locked_until_the_lock_passes(callers: Callers) -> None:
    await callers.fail(5, subject="anna")
    _assert_limited(await callers.upload_refused(subject="anna"), "subject", least=1_700, most=1_800)
    # Another subject, and the same reference of another tenant and of the sandbox.
    await callers.upload(subject="bert")
    await callers.upload("branch", subject="anna")
    await callers.upload("tests", subject="anna")
    callers.live.clock.ahead += timedelta(seconds=1_801)
    await callers.upload(subject="anna")


@pytest.mark.slow
async def test_after_five_spoofs_a_portrait_is_locked_whatever_the_subject(callers: Callers) -> None:
    await callers.fail(5, mark=b"one")
    _assert_limited(
        await callers.upload_refused(subject="new", mark=b"one"), "portrait", least=1_700, most=1_800
    )
    await callers.upload(mark=b"another")


@pytest.mark.slow
async def test_locks_that_repeat_bring_a_block(callers: Callers) -> None:
    refusals: list[Refused] = []
    for _ in range(4):
        await callers.fail(5, subject="anna")
        refusals.append(await callers.upload_refused(subject="anna"))
        callers.live.clock.ahead += timedelta(seconds=1_801)
    _assert_limited(refusals[-1], "subject", least=86_000, most=86_400)
    await callers.upload_refused(subject="anna")
    callers.live.clock.ahead += timedelta(days=1)
    await callers.upload(subject="anna")


async def test_checks_that_are_made_before_any_failed_give_no_more_tries(callers: Callers) -> None:
    uploads = [await callers.upload(subject="anna", mark=bytes([number])) for number in range(12)]
    streams = [RawDevice(callers.live.device, upload).connect() for upload in uploads]

    async def opened(number: int) -> Refused | None:
        try:
            await streams[number].start()
        except Ended as ended:
            return ended.refusal
        return None

    outcomes = await asyncio.gather(*(opened(number) for number in range(12)))
    refusals = [one for one in outcomes if one is not None]
    assert len(refusals) == 7
    for refusal in refusals:
        # The device gets only the time of the next try.
        assert (refusal.code, refusal.reason) == (_C.RESOURCE_EXHAUSTED, "TOO_MANY_FAILURES")
        assert refusal.metadata == {"retrySeconds": "10"}
        assert refusal.retry_seconds == 10
    # The check whose scan was refused stays open, and is scanned once the others are over.
    late = next(number for number, one in enumerate(outcomes) if one is not None)
    for number, outcome in enumerate(outcomes):
        if outcome is None:
            await streams[number].half_close()
            await streams[number].outcome()
    await callers.live.unattended()
    again = await RawDevice(callers.live.device, uploads[late]).open()
    await again.run_attempt(_GENUINE)


async def _leave(callers: Callers, times: int, **fields: str | bytes) -> None:
    for _ in range(times):
        upload = await callers.upload(**fields)  # type: ignore[arg-type]
        stream = await RawDevice(callers.live.device, upload).open()
        await stream.half_close()
        await stream.outcome()
    await callers.live.unattended()


@pytest.mark.slow
async def test_scans_that_are_given_up_at_once_count_a_quarter(callers: Callers) -> None:
    await _leave(callers, 19, subject="anna")
    await callers.upload(subject="anna")
    await _leave(callers, 1, subject="anna")
    _assert_limited(await callers.upload_refused(subject="anna"), "subject", least=1_700, most=1_800)


@pytest.mark.slow
async def test_tries_that_wait_for_each_window_to_pass_are_blocked(callers: Callers) -> None:
    for _ in range(5):
        await callers.upload(subject="anna")
        await callers.fail(4, subject="anna")
        callers.live.clock.ahead += timedelta(seconds=181)
    _assert_limited(await callers.upload_refused(subject="anna"), "subject", least=86_000, most=86_400)


@pytest.mark.slow
async def test_sandbox_checks_may_fail_by_the_dozen(callers: Callers) -> None:
    await callers.fail(8, "tests", subject="anna", mark=b"one")
    await callers.upload("tests", subject="anna", mark=b"one")
