import asyncio
import json
import os
import socket
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
import trustme
import typer
from facegate.v1 import device_pb2, feedback_pb2, result_pb2, scan_pb2, verification_service_pb2
from typer.testing import CliRunner

import vision.packs
from cli.main import app
from cli.test_devices import write_platform
from cli.verify.command import verify
from simulator import AmbientPreset, AmbientSettings, FlashScanSettings
from simulator.photo import builtin_image
from tests.client.fake_server import FakeServer, Refuse, Send, StreamPlan, serving
from tests.packs import shared_pack

_app = typer.Typer()
_app.command()(verify)


class Run:
    """The output and exit code of a command."""

    def __init__(self, code: int, output: str, messages: str) -> None:
        self.code, self.output, self.messages = code, output, messages


async def _run(fake: FakeServer | None, *arguments: str) -> Run:
    """Run the command in a thread while ``fake`` serves in this one."""

    async def invoke(*more: str) -> Run:
        result = await asyncio.to_thread(
            CliRunner().invoke, _app, [*arguments, *more], catch_exceptions=False
        )
        return Run(result.exit_code, result.stdout, result.stderr)

    if fake is None:
        return await invoke()
    async with serving(fake) as target:
        return await invoke("--service", target, "--device", target)


@pytest.fixture
def portrait(tmp_path: Path) -> str:
    path = tmp_path / "portrait.jpg"
    path.write_bytes(b"the portrait")
    return str(path)


@pytest.fixture
def scan(tmp_path: Path) -> str:
    """Longer than a busy machine needs for the few frames of a scan."""
    return _pictures(tmp_path / "scan", 300)


def _pictures(folder: Path, count: int) -> str:
    folder.mkdir()
    rng = np.random.default_rng(1)
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:03}.jpg"), rng.integers(0, 255, (48, 32, 3), dtype=np.uint8))
    return str(folder)


async def test_success_is_shown_and_saved(portrait: str, scan: str, tmp_path: Path) -> None:
    fake, out = FakeServer(), tmp_path / "out"
    run = await _run(fake, "--trusted", portrait, "--scan", scan, "--out", str(out), "--policy", "low")
    assert run.code == 0
    assert fake.violations == []
    assert (fake.uploads[0].image, fake.uploads[0].policy) == (b"the portrait", "low")
    for shown in ("SUCCESS", "LIVE", "97.5", "92.0", "not checked", "--json lists", fake.check_id):
        assert shown in run.output
    assert "Blink" not in run.output
    assert (out / f"{fake.check_id}-evidence.jpg").read_bytes() == fake.evidence
    assert json.loads((out / f"{fake.check_id}.json").read_text())["status"] == "CHECK_STATUS_SUCCESS"
    assert (out / f"{fake.check_id}.jws").read_text().count(".") == 2
    assert all(f"saved {file}" in run.messages.replace("\n", "") for file in out.iterdir())
    assert "Good, keep still." in run.messages
    assert scan_pb2.CAPABILITY_OPEN_MOUTH in fake.starts[0].capabilities
    assert fake.token not in run.output + run.messages


@pytest.mark.usefixtures("short_waits")
async def test_a_refused_connection_hints_at_serve(portrait: str, scan: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{closed.getsockname()[1]}"
        run = await _run(None, "--trusted", portrait, "--scan", scan, "--service", target)
    assert run.code == 2
    assert "`facegate serve`" in run.messages


@pytest.mark.usefixtures("short_waits")
async def test_a_server_whose_certificate_is_not_trusted_needs_ca(
    portrait: str, scan: str, tmp_path: Path
) -> None:
    """A TLS server of one authority and a client that trusts another; then a client without TLS."""
    server, other = trustme.CA(), trustme.CA()
    ca = tmp_path / "ca.pem"
    other.cert_pem.write_to_path(str(ca))
    certificate = server.issue_cert("127.0.0.1")
    credentials = grpc.ssl_server_credentials(
        [(certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())]
    )
    listener = grpc.aio.server()
    port = listener.add_secure_port("127.0.0.1:0", credentials)
    await listener.start()
    try:
        target = f"127.0.0.1:{port}"
        arguments = ("--trusted", portrait, "--scan", scan, "--service", target, "--device", target)
        untrusted = await _run(None, *arguments, "--ca", str(ca))
        plaintext = await _run(None, *arguments)
    finally:
        await listener.stop(None)
    assert (untrusted.code, plaintext.code) == (2, 2)
    assert "--ca" in untrusted.messages
    assert "--ca" in plaintext.messages


async def test_only_the_owner_can_read_saved_files(portrait: str, scan: str, tmp_path: Path) -> None:
    fake, out = FakeServer(), tmp_path / "new" / "out"
    arguments = ("--trusted", portrait, "--scan", scan, "--out", str(out))
    before = os.umask(0)
    try:
        async with serving(fake) as target:
            result = await asyncio.to_thread(
                CliRunner().invoke, app, ["verify", *arguments, "--service", target, "--device", target]
            )
        assert result.exit_code == 0
        assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
        assert {stat.S_IMODE(path.stat().st_mode) for path in (out, out.parent)} == {0o700}
    finally:
        after = os.umask(before)
    assert after == 0


async def test_failure_has_its_own_exit_status_and_reasons(portrait: str, scan: str) -> None:
    def fail(response: verification_service_pb2.FinishCheckResponse) -> None:
        response.result.status = result_pb2.CHECK_STATUS_FAILURE
        response.result.reasons.append(result_pb2.FAILURE_REASON_SPOOF)

    fake = FakeServer()
    fake.alter_response = fail
    run = await _run(fake, "--trusted", portrait, "--scan", scan, "--json")
    assert run.code == 1
    assert json.loads(run.output)["reasons"] == ["FAILURE_REASON_SPOOF"]


async def test_not_decided_is_neither_success_nor_failure(portrait: str, scan: str) -> None:
    def fault(response: verification_service_pb2.FinishCheckResponse) -> None:
        response.result.status = result_pb2.CHECK_STATUS_NOT_DECIDED
        response.result.reasons.append(result_pb2.FAILURE_REASON_SERVER_FAULT)
        response.result.ClearField("liveness")
        response.result.ClearField("match")
        response.ClearField("evidence_frame")
        response.evidence_problems.add(
            picture=response.result.evidence_frame,
            kind=verification_service_pb2.EvidenceProblem.KIND_LOST,
        )

    fake = FakeServer()
    fake.alter_response = fault
    run = await _run(fake, "--trusted", portrait, "--scan", scan)
    assert run.code == 2
    assert "NOT_DECIDED" in run.output
    assert "SERVER_FAULT" in run.output
    assert "not judged" in run.output
    assert "Try again" in run.messages
    assert "evidence frame" in run.messages
    assert "lost" in run.messages


async def test_signature_is_verified_where_keys_are_given(portrait: str, scan: str, tmp_path: Path) -> None:
    fake, jwks = FakeServer(), tmp_path / "jwks.json"
    jwks.write_text(json.dumps(fake.jwks))
    arguments = ("--trusted", portrait, "--scan", scan, "--jwks", str(jwks))
    run = await _run(fake, *arguments)
    assert run.code == 0
    assert "verified" in run.output
    other = FakeServer()
    run = await _run(other, *arguments)
    assert run.code == 2
    assert "signature" in run.messages


async def test_a_sandbox_result_is_refused_unless_it_is_accepted(portrait: str, scan: str) -> None:
    arguments = ("--trusted", portrait, "--scan", scan)
    one, another = FakeServer(), FakeServer()
    one.sandbox = another.sandbox = True
    run = await _run(one, *arguments)
    assert run.code == 2
    assert "sandbox" in run.messages
    assert run.output == ""
    run = await _run(another, *arguments, "--accept-sandbox")
    assert run.code == 0
    assert "made for tests" in run.output


async def test_a_refused_portrait_comes_with_a_remedy(portrait: str, scan: str) -> None:
    fake = FakeServer()
    fake.upload_refusal = Refuse(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        reason="EYE_DISTANCE_TOO_SMALL",
        metadata={"eyeDistancePx": "41"},
    )
    run = await _run(fake, "--trusted", portrait, "--scan", scan)
    assert run.code == 2
    for shown in ("EYE_DISTANCE_TOO_SMALL", "eyeDistancePx: 41", "larger picture"):
        assert shown in run.messages
    assert run.output == ""


async def test_a_retry_comes_with_a_hint(portrait: str, scan: str) -> None:
    retry = scan_pb2.ScanResult(
        status=scan_pb2.SCAN_STATUS_RETRY, feedback=[feedback_pb2.FEEDBACK_CODE_TOO_DARK]
    )
    done = scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_SUCCESS)
    fake = FakeServer(StreamPlan(results=[retry, done], frames_wanted=4))
    run = await _run(fake, "--trusted", portrait, "--scan", scan)
    assert run.code == 0
    assert "It is too dark: find more light." in run.messages
    assert "Attempt 2" in run.messages


class _Failing(FakeServer):
    """A server whose checks fail."""

    reasons: Sequence[result_pb2.FailureReason.ValueType] = ()

    def result(self) -> result_pb2.CheckResult:
        result = super().result()
        result.status = result_pb2.CHECK_STATUS_FAILURE
        result.reasons.extend(self.reasons)
        return result


async def test_a_clip_that_is_shorter_than_the_scan_is_said(portrait: str, scan: str, tmp_path: Path) -> None:
    short = _pictures(tmp_path / "short", 12)
    longer = "The frames ended before the scan did: a longer clip may help."
    faster = "The clip has too few frames a second: one with 8 or more may help."
    slow = feedback_pb2.FEEDBACK_CODE_CAPTURE_TOO_SLOW
    open_, spoof = result_pb2.FAILURE_REASON_CONDITIONS, result_pb2.FAILURE_REASON_SPOOF
    for clip, wanted, reason, codes, said in (
        (short, 0, open_, [], longer),
        (short, 0, open_, [feedback_pb2.FEEDBACK_CODE_FAILED, slow], faster),
        (scan, 4, open_, [], None),
        (short, 0, spoof, [], None),
    ):
        failure = scan_pb2.ScanResult(status=scan_pb2.SCAN_STATUS_FAILURE, feedback=codes)
        fake = _Failing(StreamPlan(results=[failure], frames_wanted=wanted))
        fake.reasons = [reason, result_pb2.FAILURE_REASON_LIVENESS_INCONCLUSIVE]
        run = await _run(fake, "--trusted", portrait, "--scan", clip)
        assert run.code == 1
        assert [text for text in (longer, faster) if text in run.messages] == [said] * (said is not None)


async def test_api_key_is_read_from_its_file(portrait: str, scan: str, tmp_path: Path) -> None:
    fake, key = FakeServer(), tmp_path / "key.txt"
    fake.api_key = "key-123"
    key.write_text("key-123\n")
    arguments = ("--trusted", portrait, "--scan", scan)
    assert (await _run(fake, *arguments, "--api-key-file", str(key))).code == 0
    refused = await _run(FakeServerWithKey(), *arguments)
    assert refused.code == 2
    assert "UNAUTHENTICATED" in refused.messages
    assert "--api-key-file" in refused.messages


class FakeServerWithKey(FakeServer):
    """Requires a key that no caller sends."""

    def __init__(self) -> None:
        super().__init__()
        self.api_key = "another"


@pytest.mark.usefixtures("short_waits")
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--trusted", "missing.jpg", "--scan", "{scan}"), "missing.jpg"),
        (("--trusted", "{portrait}", "--scan", "missing.mp4"), "missing.mp4"),
        (("--trusted", "{portrait}", "--scan", "camera:x"), "does not name a camera"),
        (("--trusted", "{portrait}", "--scan", "{scan}", "--jwks", "none.json"), "none.json"),
        (("--trusted", "{portrait}", "--scan", "{scan}", "--device", "nowhere"), "host:port"),
        (("--trusted", "{portrait}", "--simulate", "ghost"), "genuine"),
        (("--trusted", "{portrait}", "--scan", "{scan}", "--service", "127.0.0.1:1"), "UNAVAILABLE"),
    ],
)
async def test_an_undecided_check_has_a_reason(
    portrait: str, scan: str, arguments: tuple[str, ...], shown: str
) -> None:
    filled = [argument.format(portrait=portrait, scan=scan) for argument in arguments]
    run = await _run(None, *filled)
    assert run.code == 2
    assert shown in run.messages
    assert run.output == ""


async def test_the_portrait_may_be_a_reference(scan: str) -> None:
    fake = FakeServer()
    run = await _run(fake, "--trusted-reference", "2031/4711.jpg", "--scan", scan)
    assert run.code == 0
    (request,) = fake.uploads
    assert request.WhichOneof("trusted_image") == "image_reference"
    assert request.image_reference == "2031/4711.jpg"


async def test_a_trusted_reference_cannot_be_simulated() -> None:
    run = await _run(FakeServer(), "--trusted-reference", "4711.jpg", "--simulate", "genuine")
    assert run.code == 2
    assert "give it as --scan" in run.messages


@pytest.mark.parametrize("arguments", [(), ("--trusted", "{portrait}", "--trusted-reference", "4711.jpg")])
async def test_exactly_one_portrait_is_wanted(portrait: str, scan: str, arguments: tuple[str, ...]) -> None:
    filled = [argument.format(portrait=portrait) for argument in arguments]
    run = await _run(None, *filled, "--scan", scan)
    assert run.code == 2
    assert "give one of --trusted, --trusted-reference, --ticket" in " ".join(
        run.messages.replace("│", " ").split()
    )


async def test_a_source_is_wanted(portrait: str) -> None:
    run = await _run(None, "--trusted", portrait)
    assert run.code == 2
    assert "--scan or --simulate" in run.messages


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(vision.packs, "load_pack", shared_pack)
    path = tmp_path / "person.png"
    cv2.imwrite(str(path), builtin_image("astronaut"))
    return str(path)


def _flashing() -> FakeServer:
    """Reveal two steps, the second once a frame names the first, and wait for a frame that names it."""
    revealed = 0

    async def act(frames: int, send: Send) -> None:
        nonlocal revealed
        if frames < 2 or fake.frames[-1].header.flash_step < revealed:
            return
        revealed += 1
        if revealed <= 2:
            step = scan_pb2.FlashStep(step=revealed, color=scan_pb2.Rgb(red=255, green=255, blue=255))
            await send(scan_pb2.ScanFaceResponse(flash_step=step))
        else:
            await send(scan_pb2.ScanFaceResponse(capture_complete=scan_pb2.CaptureComplete(attempt=1)))

    fake = FakeServer(StreamPlan(plan=scan_pb2.PLAN_FLASH, act=act, frames_wanted=0, credit=20))
    return fake


async def test_a_simulated_phone_flashes(portrait: str, photo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dark = AmbientSettings(preset=AmbientPreset.DARK)
    monkeypatch.setattr(
        "simulator.phone.flash_settings",
        lambda kind, seed: FlashScanSettings(kind=kind, seed=seed, width=160, height=240, ambient=dark),
    )
    fake = _flashing()
    run = await _run(fake, "--trusted", portrait, "--simulate", "injected-tint", "--scan", photo)
    assert run.code == 0, run.messages
    assert fake.violations == []
    assert scan_pb2.CAPABILITY_FLASH in fake.starts[0].capabilities
    assert (fake.frames[0].header.width, fake.frames[0].header.height) == (160, 240)
    assert {frame.header.flash_step for frame in fake.frames} == {0, 1, 2}
    assert fake.frames[0].header.exposure.exposure_time_ns > 0
    assert "flash in colours" in run.messages


async def test_a_simulated_scan_has_other_frames_each_time(portrait: str, photo: str) -> None:
    first: list[bytes] = []
    for _ in range(2):
        fake = FakeServer(StreamPlan(frames_wanted=2))
        run = await _run(fake, "--trusted", portrait, "--simulate", "genuine", "--scan", photo)
        assert run.code == 0, run.messages
        first.append(fake.frames[0].image)
    assert first[0] != first[1]


async def test_a_phone_without_a_flash_announces_none(portrait: str, photo: str) -> None:
    fake = FakeServer()
    run = await _run(fake, "--trusted", portrait, "--simulate", "genuine", "--scan", photo)
    assert run.code == 0, run.messages
    assert scan_pb2.CAPABILITY_FLASH not in fake.starts[0].capabilities
    assert scan_pb2.CAPABILITY_OPEN_MOUTH not in fake.starts[0].capabilities, "nobody reads its hints"


async def test_a_test_device_sends_claims_evidence_and_a_counter(
    portrait: str, scan: str, tmp_path: Path
) -> None:
    write_platform(tmp_path / "platform", now=datetime.now(UTC))
    as_iphone = ("--test-device", str(tmp_path / "platform" / "iphone"))
    shown = []
    for _ in range(2):
        fake = FakeServer()
        run = await _run(fake, "--trusted", portrait, "--scan", scan, *as_iphone)
        assert run.code == 0
        (start,) = fake.starts
        assert start.device.platform == device_pb2.PLATFORM_IOS
        assert start.camera.facing == device_pb2.CAMERA_FACING_FRONT
        shown += [one.WhichOneof("evidence") for one in fake.attestations]
    assert shown == ["app_attest", "app_attest_assertion"]


async def test_an_unknown_test_device_is_refused(portrait: str, scan: str, tmp_path: Path) -> None:
    for kind, said in (("nokia", "names no test device"), ("iphone", "platform.json cannot be read")):
        arguments = ("--test-device", str(tmp_path / kind))
        run = await _run(FakeServer(), "--trusted", portrait, "--scan", scan, *arguments)
        assert run.code == 2
        # A long path may be broken at any place.
        assert said.replace(" ", "") in "".join(run.messages.split())
