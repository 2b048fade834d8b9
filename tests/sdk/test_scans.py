"""Whole scans by the Kotlin SDK against a real server."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from PIL import Image

from lab.simulate import write_platform
from lab.simulator.devices import POLICY_NAME as ATTESTED
from lab.simulator.devices import DeviceKind, TestPlatform, make_device
from lab.tests.test_devices.played import failed, platform_settings
from tests.client.fake_server import LOST, FakeServer, StreamPlan
from tests.client.fake_server import serving as serving_fake
from tests.client.fakes import pictures
from tests.packs import shared_pack
from tests.ports import held_port
from tests.sdk.conftest import KotlinClient, kotlin
from tests.server.live import FAST, PAGE_ORIGIN, LiveServer, serving, settings_for, until
from tests.server.policy_files import write_policy
from tests.server.process.server_process import DataFolder
from tests.web.conftest import Recording, Recordings, read_recording
from tests.web.lines import line

pytestmark = pytest.mark.slow

_CALM = "live/KwaiVGI__assets__examples__driving__d13.mp4"
_SLOW = "live/tranvanluyt220__videos__real.mp4"
_REPLAY = "spoof/tranvanluyt220__videos__fake.mp4"


@pytest.fixture(scope="module")
def recording(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    folder = tmp_path_factory.mktemp("camera")
    return cache(lambda name: read_recording(name, assets, folder))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    folder = tmp_path_factory.mktemp("server")
    settings = settings_for(folder, web=True)
    write_policy(folder / "policies", "twice", maximum=2)
    write_policy(folder / "policies", "lossy", maximum=8)
    # A recording answers no request for a blink or a turn of the head. Lit by software it gives about 13
    # bits, so that the usual 12 would be a matter of the colours that are drawn.
    (folder / "policies" / "colours.toml").write_text(
        'name = "colours"\nversion = 1\ndescription = "For tests."\nmode = "DYNAMIC"\n'
        "[match]\nmax_fmr = 1e-4\n[challenge]\nblink = false\ndepth = false\nrequired_bits = 10.0\n"
        '[device]\ntolerate = ["memory.frames"]\n'
    )
    async with serving(settings, pack=shared_pack(f"open:{assets / 'models'}"), tuning=FAST) as live:
        yield live


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client() -> AsyncIterator[KotlinClient]:
    async with kotlin() as process:
        yield process


async def _upload(
    live: LiveServer, person: Recording, policy: str = "standard"
) -> service_pb2.UploadTrustedImageResponse:
    return await live.service.UploadTrustedImage(
        service_pb2.UploadTrustedImageRequest(image=person.portrait, policy=policy)
    )


def _job(
    live: LiveServer, upload: service_pb2.UploadTrustedImageResponse, camera: Recording, **job: Any
) -> dict[str, Any]:
    return {
        "grpc": live.server.device_target,
        "token": upload.scan_token,
        "key": upload.challenge_key_sha256.hex(),
        "camera": str(camera.camera),
        "rate": 25,
        **job,
    }


async def _scan(
    live: LiveServer, client: KotlinClient, person: Recording, policy: str = "standard", **job: Any
) -> tuple[service_pb2.UploadTrustedImageResponse, dict[str, Any]]:
    """A scan of a person for a check with the portrait of the same person."""
    upload = await _upload(live, person, policy)
    return upload, await client.scan(**_job(live, upload, person, **job))


def passed(result: result_pb2.CheckResult) -> set[str]:
    """Names of the passed tests of a device."""
    return {
        check.name for check in result.device.checks if check.outcome == result_pb2.DeviceCheck.OUTCOME_PASS
    }


async def _result(live: LiveServer, upload: service_pb2.UploadTrustedImageResponse) -> result_pb2.CheckResult:
    return (await live.finish(upload.check_id)).result


@pytest.mark.parametrize("web", [False, True], ids=["gRPC", "WebSocket"])
async def test_a_genuine_person_succeeds(
    server: LiveServer, client: KotlinClient, recording: Recordings, web: bool
) -> None:
    person = recording(_CALM)
    upload = await _upload(server, person)
    job = _job(server, upload, person)
    if web:
        job |= {"web": f"ws://{server.server.web_target}", "origin": PAGE_ORIGIN}
    answer = await client.scan(**job)
    assert answer["outcome"]["status"] == "SUCCESS", answer
    assert answer["shown"] == "Done. It is you."
    assert answer["silentMs"] < 3000
    assert answer["heldFrames"] == 0
    result = await _result(server, upload)
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS


async def test_a_recording_on_a_display_fails(
    server: LiveServer, client: KotlinClient, recording: Recordings
) -> None:
    upload = await _upload(server, recording(_CALM))
    answer = await client.scan(**_job(server, upload, recording(_REPLAY)))
    assert answer["outcome"]["status"] == "FAILURE", answer
    result = await _result(server, upload)
    assert result_pb2.FAILURE_REASON_SPOOF in result.reasons


async def test_colours_prove_a_person(
    server: LiveServer, client: KotlinClient, recording: Recordings
) -> None:
    upload, answer = await _scan(server, client, recording(_CALM), "colours", flash=True, lit=True)
    assert answer["outcome"]["status"] == "SUCCESS", answer
    # The first and the last colour of an attempt are grey.
    assert len({tuple(colour) for colour in answer["colours"]}) >= 4
    result = await _result(server, upload)
    assert result.status == result_pb2.CHECK_STATUS_SUCCESS
    assert result.liveness.verified_bits >= result.liveness.required_bits == 10


async def test_a_lost_connection_is_resumed(
    server: LiveServer, client: KotlinClient, recording: Recordings
) -> None:
    person = recording(_CALM)
    upload = await _upload(server, person)
    async with line(server.server.device_target, breaks_after=150_000) as address:
        answer = await client.scan(**_job(server, upload, person, grpc=address.removeprefix("ws://")))
    assert answer["outcome"]["status"] == "SUCCESS", answer
    assert answer["outcome"]["streams"] == 2
    assert "The connection was lost. Connecting again…" in answer["seen"]
    assert (await _result(server, upload)).status == result_pb2.CHECK_STATUS_SUCCESS


async def test_a_line_that_is_late_and_breaks_three_times_is_resumed(
    server: LiveServer, client: KotlinClient, recording: Recordings
) -> None:
    person = recording(_CALM)
    upload = await _upload(server, person, "lossy")
    async with line(
        server.server.device_target, breaks_after=120_000, breaks=3, late=(0.0, 0.05, 0.15, 0.0, 0.0, 0.1)
    ) as address:
        answer = await client.scan(**_job(server, upload, person, grpc=address.removeprefix("ws://")))
    assert answer["outcome"]["status"] == "SUCCESS", answer
    assert answer["outcome"]["streams"] == 4
    assert answer["heldFrames"] == 0
    assert (await _result(server, upload)).status == result_pb2.CHECK_STATUS_SUCCESS


@pytest.fixture
def port() -> Iterator[int]:
    with held_port() as held:
        yield held


async def test_a_killed_server_is_resumed(
    client: KotlinClient, recording: Recordings, assets: Path, tmp_path: Path, port: int
) -> None:
    person = recording(_CALM)
    folder = DataFolder(
        tmp_path / "server",
        pack=f"open:{assets / 'models'}",
        listeners={
            "device": {"port": port},
            "service": {"port": 0, "local_sandbox": True},
            "admin": {"port": 0},
        },
    )
    write_policy(folder.folder / "policies", "resumed")
    async with folder.serving() as first:
        await first.ready()
        upload = await first.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=person.portrait, policy="resumed")
        )
        scanning = asyncio.create_task(
            client.scan(
                grpc=f"127.0.0.1:{port}",
                token=upload.scan_token,
                key=upload.challenge_key_sha256.hex(),
                camera=str(person.camera),
                rate=25,
            )
        )

        async def begun() -> bool:
            return "scan_begun" in await first.written() or scanning.done()

        await until(begun)
        # An attempt takes some seconds.
        await asyncio.sleep(1)
        await first.kill()
    async with folder.serving() as second:
        await second.ready()
        answer = await scanning
        assert "outcome" in answer, answer
        assert answer["outcome"]["status"] == "SUCCESS", answer
        assert answer["outcome"]["streams"] == 2
        assert "The connection was lost. Connecting again…" in answer["seen"]
        assert answer["silentMs"] < 3000
        assert (await second.finished(upload.check_id)).result.status == result_pb2.CHECK_STATUS_SUCCESS


@pytest.mark.timeout(400)
async def test_fifty_scans_in_a_row_leave_nothing(server: LiveServer, client: KotlinClient) -> None:
    async def complete() -> None:
        fake = FakeServer()
        async with serving_fake(fake) as address:
            answer = await client.scan(
                grpc=address, token=fake.token, key=fake.challenge_key_sha256.hex(), rate=60
            )
        assert fake.violations == []
        assert answer["outcome"]["status"] == "SUCCESS", answer
        assert answer["heldFrames"] == 0

    async def leave(number: int) -> None:
        upload = await server.upload(policy="once")
        web = {"web": f"ws://{server.server.web_target}", "origin": PAGE_ORIGIN}
        answer = await client.scan(
            **(web if number % 2 else {"grpc": server.server.device_target}),
            token=upload.scan_token,
            key=upload.challenge_key_sha256.hex(),
            acts=["leave-soon"],
        )
        assert answer["heldFrames"] == 0

    for number in range(5):
        await complete()
        await leave(number)
    before = _traces(client.pid)
    for number in range(50):
        await complete()
        await leave(number)

    async def settled() -> bool:
        return all(now <= then + 4 for now, then in zip(_traces(client.pid), before, strict=True))

    await until(settled)


async def test_the_program_of_the_readme_scans_on_a_screen_of_its_own(client: KotlinClient) -> None:
    async def scan(fake: FakeServer) -> dict[str, Any]:
        async with serving_fake(fake) as address:
            key = fake.challenge_key_sha256.hex()
            return await client.scan(grpc=address, token=fake.token, key=key, ownScreen=True)

    passed = await scan(fake := FakeServer())
    assert fake.violations == []
    assert passed["outcome"]["status"] == "SUCCESS", passed
    assert "Halten Sie Ihr Gesicht im Oval." in passed["seen"]
    refused = await scan(FakeServer(StreamPlan(other_key=True)))
    assert refused.get("outcome") is None
    assert refused["seen"][-1].startswith("Diesem Server kann nicht vertraut werden.")


async def test_an_attested_phone_succeeds_where_the_policy_demands_it(
    client: KotlinClient, recording: Recordings, assets: Path, tmp_path: Path
) -> None:
    person = recording(_CALM)
    stored = write_platform(tmp_path / "platform", now=datetime.now(UTC))
    settings = settings_for(tmp_path, **platform_settings(stored))
    async with serving(settings, pack=shared_pack(f"open:{assets / 'models'}"), tuning=FAST) as live:

        async def check(kind: DeviceKind | None) -> tuple[str, result_pb2.CheckResult]:
            upload = await _upload(live, person, ATTESTED)
            device = None if kind is None else stored.device(kind)
            answer = await client.scan(device, **_job(live, upload, person))
            assert "outcome" in answer, answer
            return answer["outcome"]["status"], await _result(live, upload)

        status, result = await check(DeviceKind.ANDROID)
        assert status == "SUCCESS", result
        assert {"android_key.challenge", "play_integrity.challenge"} <= passed(result)
        # Evidence that was made for another scan's binding hash, and none at all.
        status, result = await check(DeviceKind.OTHER_SESSION)
        assert status == "FAILURE", result
        assert {"android_key.challenge", "play_integrity.challenge"} <= failed(result)
        status, result = await check(None)
        assert status == "FAILURE", result


async def test_no_log_line_state_or_error_tells_a_secret(tmp_path: Path) -> None:
    device = make_device(DeviceKind.ANDROID, TestPlatform(seed="seed", made=datetime.now(UTC)))
    # Frames that one part of a stream holds: only the first bytes of a part are logged.
    camera = tmp_path / "camera.mjpeg"
    camera.write_bytes(b"".join(_jpeg(pixels) for pixels, _ in pictures(50)))
    log = tmp_path / "log"
    # Evidence has left before the first stream breaks.
    fake = FakeServer(
        StreamPlan(break_after=10, breaking=LOST, frames_wanted=0), StreamPlan(frames_wanted=30)
    )
    fake.plans[0].body_changes = fake.plans[1].body_changes = _with_findings
    refusing = FakeServer(StreamPlan(other_key=True))
    async with (
        serving_fake(fake) as address,
        serving_fake(refusing) as other,
        kotlin(log=log) as process,
    ):
        key = fake.challenge_key_sha256.hex()
        answer = await process.scan(
            device, grpc=address, token=fake.token, key=key, camera=str(camera), rate=20
        )
        error = await process.scan(grpc=other, token=refusing.token, key=key)
    assert fake.violations == []
    assert answer["outcome"]["streams"] == 2, answer
    assert error["error"] == "ServerNotTrustedException"
    told = log.read_text(encoding="utf-8", errors="replace") + json.dumps([answer, error])
    # Both the logs and the states are there.
    assert "OUTBOUND DATA" in told
    assert "Capturing(attempt=1" in told
    secrets = [
        fake.token.encode(),
        refusing.token.encode(),
        *fake.bindings,
        *fake.mac_keys,
    ]
    for attestation in fake.attestations:
        secrets += [attestation.android_key.signature, attestation.play_integrity.token[-40:].encode()]
    secrets = [secret for secret in secrets if secret]
    assert len(secrets) >= 10
    for secret in secrets:
        shown = {secret.decode("latin-1"), secret.hex(), secret.hex().upper(), str(list(secret))}
        shown |= {base64.b64encode(secret).decode().rstrip("="), str([b - 256 * (b > 127) for b in secret])}
        assert [form for form in shown if form in told] == []


def _jpeg(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "jpeg")
    return file.getvalue()


def _with_findings(body: scan_pb2.ChallengeBody) -> None:
    body.attestation.runtime_findings = True


def _traces(pid: int) -> tuple[int, int]:
    """The threads and the open files of a process."""
    folder = Path(f"/proc/{pid}")
    return len(list((folder / "task").iterdir())), len(list((folder / "fd").iterdir()))


async def test_a_person_with_a_slow_network_is_told_so(
    server: LiveServer, client: KotlinClient, recording: Recordings
) -> None:
    person = recording(_CALM)
    upload = await _upload(server, person, "twice")
    async with line(server.server.device_target, bytes_per_second=60_000) as address:
        answer = await client.scan(**_job(server, upload, person, grpc=address.removeprefix("ws://")))
    assert answer["outcome"]["status"] != "SUCCESS"
    assert "The connection is too slow. Find a better network." in answer["seen"], answer
    assert answer["outcome"]["dropped"] > answer["outcome"]["frames"]
    assert answer["silentMs"] < 3000


async def test_a_person_who_leaves_cancels_the_check(
    server: LiveServer, client: KotlinClient, recording: Recordings
) -> None:
    upload, answer = await _scan(server, client, recording(_SLOW), acts=["leave"])
    assert answer["error"] == "ScanCancelledException"
    result = await _result(server, upload)
    assert result_pb2.FAILURE_REASON_CANCELLED in result.reasons


async def test_a_wrong_token_is_refused(
    server: LiveServer, client: KotlinClient, recording: Recordings
) -> None:
    person = recording(_CALM)
    upload = await _upload(server, person)
    upload.scan_token = upload.scan_token[:-2]
    answer = await client.scan(**_job(server, upload, person))
    assert (answer["error"], answer["reason"]) == ("ServerRefusedException", "TOKEN_INVALID")
    assert answer["advice"] == "NEW_CHECK"


async def test_a_server_with_another_key_is_not_trusted(
    server: LiveServer, client: KotlinClient, recording: Recordings
) -> None:
    upload, answer = await _scan(server, client, recording(_CALM), key=bytes(32).hex())
    assert answer["error"] == "ServerNotTrustedException"
    assert await server.attempts(upload.check_id) == ()
