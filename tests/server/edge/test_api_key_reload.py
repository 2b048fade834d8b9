"""API keys that are added, removed and broken while a server runs."""

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from facegate.v1 import verification_service_pb2 as service_pb2

from tests.server.live import LiveServer, portrait, serving, settings_for, until
from tests.server.refusals import refused


def _entry(key: str, more: str = "") -> str:
    digest = sha256(key.encode()).hexdigest()
    return f'[[key]]\nname = "{key[4:]}"\nsha256 = "{digest}"\nroles = ["orchestrator"]\n{more}'


def _held(key: str) -> tuple[tuple[str, str]]:
    return (("authorization", f"Bearer {key}"),)


async def test_a_removed_key_works_no_more_and_its_watches_end(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    file.write_text(_entry("fg1_old"))
    listeners = {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": file}, "admin": {"port": 0}}
    async with serving(settings_for(tmp_path, listeners=listeners)) as live:
        upload = await live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=portrait()), metadata=_held("fg1_old")
        )
        watch = live.service.WatchCheck(
            service_pb2.WatchCheckRequest(check_id=upload.check_id), metadata=_held("fg1_old")
        )
        assert isinstance(await watch.read(), service_pb2.WatchCheckResponse)

        async def works(key: str) -> bool:
            request = service_pb2.GetCheckRequest(check_id=upload.check_id)
            try:
                await live.service.GetCheck(request, metadata=_held(key))
            except grpc.RpcError as error:
                return refused(error).reason != "UNAUTHENTICATED"
            return True

        # A file that cannot be used changes nothing.
        file.write_text("[[key]")
        await until(lambda: _shows(live, "facegate_api_keys_file_unusable 1.0"))
        assert await works("fg1_old")

        file.write_text(_entry("fg1_new"))
        await until(lambda: works("fg1_new"))
        assert not await works("fg1_old")
        with pytest.raises(grpc.RpcError) as caught:
            await asyncio.wait_for(watch.read(), 20)
        assert refused(caught.value).reason == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("file_text", "reason_of_next"),
    [
        # The last key is removed: a file with an explicit empty list is applied.
        ("key = []\n", "UNAUTHENTICATED"),
        (_entry("fg1_old", 'scopes = ["checks.create"]\n'), "PERMISSION_DENIED"),
        (_entry("fg1_old", 'tenant = "another"\n'), "CHECK_NOT_FOUND"),
        (_entry("fg1_old", "expires = 2020-01-01T00:00:00Z\n"), "UNAUTHENTICATED"),
    ],
    ids=["removed", "narrowed", "moved", "expired"],
)
async def test_a_watch_ends_when_its_key_may_do_less(
    tmp_path: Path, file_text: str, reason_of_next: str
) -> None:
    file = tmp_path / "keys.toml"
    file.touch(0o600)
    file.write_text(_entry("fg1_old"))
    listeners = {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": file}, "admin": {"port": 0}}
    async with serving(settings_for(tmp_path, listeners=listeners)) as live:
        upload = await live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=portrait()), metadata=_held("fg1_old")
        )
        request = service_pb2.WatchCheckRequest(check_id=upload.check_id)
        watch = live.service.WatchCheck(request, metadata=_held("fg1_old"))
        assert isinstance(await watch.read(), service_pb2.WatchCheckResponse)
        file.write_text(file_text)
        assert await _reason(watch) == "UNAUTHENTICATED"
        again = live.service.WatchCheck(request, metadata=_held("fg1_old"))
        assert await _reason(again) == reason_of_next


async def _reason(watch: Any) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        await asyncio.wait_for(watch.read(), 20)
    return refused(caught.value).reason


async def _shows(live: LiveServer, line: str) -> bool:
    url = f"http://127.0.0.1:{live.server.admin_port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return line in (await response.text()).splitlines()
