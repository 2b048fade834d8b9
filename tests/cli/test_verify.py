"""``facegate verify``."""

import asyncio
import base64
import io
import json
import os
import socket
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import cv2
import grpc
import numpy as np
import pytest
import trustme
from facegate.v1 import device_pb2, feedback_pb2, result_pb2, scan_pb2
from facegate.v1.verification_service_pb2 import EvidenceProblem, FinishCheckResponse
from rich.console import Console
from typer.testing import CliRunner, Result

import vision.packs
from cli.main import app
from cli.verify.scanning import ScanDisplay, open_scan
from facegate_client import SourceError, certificate_spki_sha256
from lab.simulate import write_platform
from lab.simulator import AmbientPreset, AmbientSettings, FlashKind, FlashScanSettings, ScanKind
from lab.simulator.devices import KINDS
from lab.simulator.photo import builtin_image
from tests.client.fake_server import FakeServer, Refuse, Send, StreamPlan, serving
from tests.packs import shared_pack
from tests.ports import held_port
from tests.proxies import connect_proxy
from tests.server.analysis.uploads import genuine, video
from tests.server.process.server_process import DataFolder


async def _run(fake: FakeServer | None, *arguments: str) -> Result:
    """Run the command in a thread while ``fake`` serves in this one."""

    async def invoke(*more: str) -> Result:
        words = ["verify", *arguments, *more]
        return await asyncio.to_thread(CliRunner().invoke, app, words, catch_exceptions=False)

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


def test_every_kind_of_scan_and_test_device_is_listed() -> None:
    words = ["verify", "--trusted", "any", "--simulate", "list"]
    listed = CliRunner().invoke(app, words, catch_exceptions=False)
    assert listed.exit_code == 0
    assert {*ScanKind, *FlashKind, *KINDS} <= set(listed.stdout.replace(",", " ").split())


async def test_success_is_shown_and_saved(portrait: str, scan: str, tmp_path: Path) -> None:
    fake, out = FakeServer(), tmp_path / "out"
    run = await _run(fake, "--trusted", portrait, "--scan", scan, "--out", str(out), "--policy", "low")
    assert run.exit_code == 0
    assert fake.violations == []
    assert (fake.uploads[0].image, fake.uploads[0].policy) == (b"the portrait", "low")
    for shown in ("SUCCESS", "LIVE", "97.5", "92.0", "not checked", "--json lists", fake.check_id):
        assert shown in run.stdout
    assert "Blink" not in run.stdout
    assert (out / f"{fake.check_id}-evidence.jpg").read_bytes() == fake.evidence
    assert json.loads((out / f"{fake.check_id}.json").read_text())["status"] == "CHECK_STATUS_SUCCESS"
    assert (out / f"{fake.check_id}.jws").read_text().count(".") == 2
    assert all(f"saved {file}" in run.stderr.replace("\n", "") for file in out.iterdir())
    assert "Good, keep still." in run.stderr
    assert scan_pb2.CAPABILITY_OPEN_MOUTH in fake.starts[0].capabilities
    assert fake.token not in run.stdout + run.stderr


@pytest.mark.usefixtures("short_waits")
async def test_a_refused_connection_hints_at_serve(portrait: str, scan: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{closed.getsockname()[1]}"
        run = await _run(None, "--trusted", portrait, "--scan", scan, "--service", target)
    assert run.exit_code == 2
    assert "`facegate serve`" in run.stderr


@pytest.mark.usefixtures("short_waits")
async def test_a_refused_connection_has_its_cause_beside_a_malformed_proxy(
    portrait: str, scan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("grpc_proxy", "http://[::1")
    with held_port() as port:
        run = await _run(None, "--trusted", portrait, "--scan", scan, "--service", f"127.0.0.1:{port}")
    assert run.exit_code == 2
    assert "`facegate serve`" in run.stderr
    assert not {"saved", "proxy"} & set(run.stderr.split())


@pytest.mark.parametrize("option", ["--service", "--device"])
async def test_an_address_with_a_scheme_is_refused(portrait: str, scan: str, option: str) -> None:
    run = await _run(None, "--trusted", portrait, "--scan", scan, option, "http://127.0.0.1:8444")
    assert run.exit_code == 2
    assert "'http://127.0.0.1:8444' is not host:port" in " ".join(run.stderr.split())


async def test_a_server_that_only_a_proxy_knows_is_verified_through_it(
    portrait: str, scan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    authority, ca = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    leaf = authority.issue_cert("facegate.bank.invalid")
    credentials = grpc.ssl_server_credentials(
        [(leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes())]
    )
    fake, known = FakeServer(), "facegate.bank.invalid:8443"
    async with connect_proxy() as proxy, serving(fake, credentials) as server:
        proxy.names[known] = server
        monkeypatch.setenv("grpc_proxy", proxy.address)
        words = ("--trusted", portrait, "--scan", scan, "--ca", str(ca))
        run = await _run(None, *words, "--service", known, "--device", known)
        other = "other.bank.invalid:8443"
        proxy.names[other] = server
        wrong = await _run(None, *words, "--service", known, "--device", other)
    assert run.exit_code == 0, run.stderr
    assert fake.starts[0].server_spki_sha256 == certificate_spki_sha256(leaf.cert_chain_pems[0].bytes())
    assert set(proxy.requests) == {f"CONNECT {name} HTTP/1.1" for name in (known, other)}
    assert wrong.exit_code == 2
    assert "Hostname mismatch" in wrong.stderr
    assert "which grpc_proxy names" in " ".join(wrong.stderr.split())


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
    assert (untrusted.exit_code, plaintext.exit_code) == (2, 2)
    assert "--ca" in untrusted.stderr
    assert "--ca" in plaintext.stderr


async def test_only_the_owner_can_read_saved_files(portrait: str, scan: str, tmp_path: Path) -> None:
    fake, out = FakeServer(), tmp_path / "new" / "out"
    arguments = ("--trusted", portrait, "--scan", scan, "--out", str(out))
    before = os.umask(0)
    try:
        assert (await _run(fake, *arguments)).exit_code == 0
        assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
        assert {stat.S_IMODE(path.stat().st_mode) for path in (out, out.parent)} == {0o700}
    finally:
        after = os.umask(before)
    assert after == 0


def _failing(*reasons: result_pb2.FailureReason.ValueType) -> Callable[[FinishCheckResponse], None]:
    """Make a check fail for these reasons."""

    def fail(response: FinishCheckResponse) -> None:
        response.result.status = result_pb2.CHECK_STATUS_FAILURE
        response.result.reasons.extend(reasons)

    return fail


async def test_failure_has_its_own_exit_status_and_reasons(portrait: str, scan: str) -> None:
    fake = FakeServer()
    fake.alter_response = _failing(result_pb2.FAILURE_REASON_SPOOF)
    run = await _run(fake, "--trusted", portrait, "--scan", scan, "--json")
    assert run.exit_code == 1
    assert json.loads(run.stdout)["reasons"] == ["FAILURE_REASON_SPOOF"]


async def test_not_decided_is_neither_success_nor_failure(portrait: str, scan: str) -> None:
    def fault(response: FinishCheckResponse) -> None:
        response.result.status = result_pb2.CHECK_STATUS_NOT_DECIDED
        response.result.reasons.append(result_pb2.FAILURE_REASON_SERVER_FAULT)
        response.result.ClearField("liveness")
        response.result.ClearField("match")
        response.ClearField("evidence_frame")
        response.evidence_problems.add(
            picture=response.result.evidence_frame,
            kind=EvidenceProblem.KIND_LOST,
        )

    fake = FakeServer()
    fake.alter_response = fault
    run = await _run(fake, "--trusted", portrait, "--scan", scan)
    assert run.exit_code == 2
    assert "NOT_DECIDED" in run.stdout
    assert "SERVER_FAULT" in run.stdout
    assert "not judged" in run.stdout
    assert "Try again" in run.stderr
    assert "evidence frame" in run.stderr
    assert "lost" in run.stderr


async def test_signature_is_verified_where_keys_are_given(portrait: str, scan: str, tmp_path: Path) -> None:
    fake, jwks = FakeServer(), tmp_path / "jwks.json"
    jwks.write_text(json.dumps(fake.jwks))
    arguments = ("--trusted", portrait, "--scan", scan, "--jwks", str(jwks))
    run = await _run(fake, *arguments)
    assert run.exit_code == 0
    assert "verified" in run.stdout
    other = FakeServer()
    run = await _run(other, *arguments)
    assert run.exit_code == 2
    assert "signature" in run.stderr


async def test_a_sandbox_result_is_refused_unless_it_is_accepted(portrait: str, scan: str) -> None:
    arguments = ("--trusted", portrait, "--scan", scan)
    one, another = FakeServer(), FakeServer()
    one.sandbox = another.sandbox = True
    run = await _run(one, *arguments)
    assert run.exit_code == 2
    assert "sandbox" in run.stderr
    assert run.stdout == ""
    run = await _run(another, *arguments, "--accept-sandbox")
    assert run.exit_code == 0
    assert "made for tests" in run.stdout


async def test_a_refused_portrait_comes_with_a_remedy(portrait: str, scan: str) -> None:
    fake = FakeServer()
    fake.upload_refusal = Refuse(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        reason="EYE_DISTANCE_TOO_SMALL",
        metadata={"eyeDistancePx": "41"},
    )
    run = await _run(fake, "--trusted", portrait, "--scan", scan)
    assert run.exit_code == 2
    for shown in ("EYE_DISTANCE_TOO_SMALL", "eyeDistancePx: 41", "larger picture"):
        assert shown in run.stderr
    assert run.stdout == ""


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
        fake = FakeServer(StreamPlan(results=[failure], frames_wanted=wanted))
        fake.alter_response = _failing(reason, result_pb2.FAILURE_REASON_LIVENESS_INCONCLUSIVE)
        run = await _run(fake, "--trusted", portrait, "--scan", clip)
        assert run.exit_code == 1
        assert [text for text in (longer, faster) if text in run.stderr] == [said] * (said is not None)


async def test_api_key_is_read_from_its_file(portrait: str, scan: str, tmp_path: Path) -> None:
    fake, key = FakeServer(), tmp_path / "key.txt"
    fake.api_key = "key-123"
    key.write_text("key-123\n")
    arguments = ("--trusted", portrait, "--scan", scan)
    assert (await _run(fake, *arguments, "--api-key-file", str(key))).exit_code == 0
    other = FakeServer()
    other.api_key = "another"
    refused = await _run(other, *arguments)
    assert refused.exit_code == 2
    assert "UNAUTHENTICATED" in refused.stderr
    assert "--api-key-file" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("--trusted", "{portrait}", "--scan", "camera:x"), "does not name a camera"),
        (("--trusted", "{portrait}", "--scan", "{scan}", "--device", "nowhere"), "host:port"),
        (("--trusted", "{portrait}", "--scan", "{scan}", "--test-device", "nokia"), "names no test device"),
        (("--trusted", "{portrait}", "--simulate", "ghost"), "genuine"),
        (("--trusted", "{portrait}"), "--scan or --simulate"),
        (("--trusted-reference", "4711.jpg", "--simulate", "genuine"), "give it as --scan"),
        (("--scan", "{scan}"), "give one of --trusted, --trusted-reference, --ticket"),
        (("--trusted", "{portrait}", "--trusted-reference", "4711.jpg", "--scan", "{scan}"), "give one of"),
    ],
)
async def test_arguments_that_cannot_be_used_are_refused(
    portrait: str, scan: str, arguments: tuple[str, ...], shown: str
) -> None:
    filled = [argument.format(portrait=portrait, scan=scan) for argument in arguments]
    run = await _run(None, *filled)
    assert run.exit_code == 2
    assert shown in " ".join(run.stderr.replace("│", " ").split())
    assert run.stdout == ""


async def test_the_portrait_may_be_a_reference(scan: str) -> None:
    fake = FakeServer()
    run = await _run(fake, "--trusted-reference", "2031/4711.jpg", "--scan", scan)
    assert run.exit_code == 0
    (request,) = fake.uploads
    assert request.WhichOneof("trusted_image") == "image_reference"
    assert request.image_reference == "2031/4711.jpg"


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
        "lab.simulator.phone.flash_settings",
        lambda kind, seed: FlashScanSettings(kind=kind, seed=seed, width=160, height=240, ambient=dark),
    )
    fake = _flashing()
    run = await _run(fake, "--trusted", portrait, "--simulate", "injected-tint", "--scan", photo)
    assert run.exit_code == 0, run.stderr
    assert fake.violations == []
    assert scan_pb2.CAPABILITY_FLASH in fake.starts[0].capabilities
    assert (fake.frames[0].header.width, fake.frames[0].header.height) == (160, 240)
    assert {frame.header.flash_step for frame in fake.frames} == {0, 1, 2}
    assert fake.frames[0].header.exposure.exposure_time_ns > 0
    assert "flash in colours" in run.stderr


async def test_a_simulated_scan_has_no_flash_and_other_frames_each_time(portrait: str, photo: str) -> None:
    first: list[bytes] = []
    for _ in range(2):
        fake = FakeServer(StreamPlan(frames_wanted=2))
        run = await _run(fake, "--trusted", portrait, "--simulate", "genuine", "--scan", photo)
        assert run.exit_code == 0, run.stderr
        first.append(fake.frames[0].image)
        assert scan_pb2.CAPABILITY_FLASH not in fake.starts[0].capabilities
        assert scan_pb2.CAPABILITY_OPEN_MOUTH not in fake.starts[0].capabilities, "nobody reads its hints"
    assert first[0] != first[1]


async def test_a_test_device_sends_claims_evidence_and_a_counter(
    portrait: str, scan: str, tmp_path: Path
) -> None:
    write_platform(tmp_path / "platform", now=datetime.now(UTC))
    as_iphone = ("--test-device", str(tmp_path / "platform" / "iphone"))
    shown = []
    for _ in range(2):
        fake = FakeServer()
        run = await _run(fake, "--trusted", portrait, "--scan", scan, *as_iphone)
        assert run.exit_code == 0
        (start,) = fake.starts
        assert start.device.platform == device_pb2.PLATFORM_IOS
        assert start.camera.facing == device_pb2.CAMERA_FACING_FRONT
        shown += [one.WhichOneof("evidence") for one in fake.attestations]
    assert shown == ["app_attest", "app_attest_assertion"]


_WAIT, _OPEN = "frames sent. One moment, please.", "There is no decision yet."


@pytest.mark.parametrize(
    ("plan", "frames", "feedback", "said"),
    [
        # A declined flash is no fault of the conditions.
        (scan_pb2.PLAN_FLASH, 0, [], ["Continuing without the flash."]),
        (
            scan_pb2.PLAN_FLASH,
            7,
            [feedback_pb2.FEEDBACK_CODE_TOO_DARK],
            [f"7 {_WAIT}", _OPEN, "It is too dark: find more light."],
        ),
        (scan_pb2.PLAN_EXPRESS, 60, [], [f"60 {_WAIT}", _OPEN]),
        # Without a frame the camera is not at fault.
        (
            scan_pb2.PLAN_EXPRESS,
            0,
            [feedback_pb2.FEEDBACK_CODE_LOW_VIDEO_QUALITY, feedback_pb2.FEEDBACK_CODE_TIMED_OUT],
            [f"0 {_WAIT}", _OPEN, "No frame reached the server.", "That took too long. Please try again."],
        ),
    ],
)
def test_a_repeated_attempt_states_the_reason(
    plan: scan_pb2.Plan.ValueType,
    frames: int,
    feedback: list[feedback_pb2.FeedbackCode.ValueType],
    said: list[str],
) -> None:
    stream = io.StringIO()
    display = ScanDisplay(Console(file=stream, width=200), shows_hints=True)
    display.attempt_started(scan_pb2.AttemptStart(attempt=1, plan=plan))
    display.capture_finished(1, frames, 0)
    retry = scan_pb2.SCAN_STATUS_RETRY
    display.attempt_finished(scan_pb2.ScanResult(status=retry, another_attempt=True, feedback=feedback))
    announced, *lines = stream.getvalue().splitlines()
    assert announced.startswith("Attempt 1: ")
    assert [line.strip() for line in lines] == said


async def test_folder_and_video_are_distinguished(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    source = open_scan(str(tmp_path))
    assert source.camera.label == "image folder"
    await source.aclose()
    with pytest.raises(SourceError, match="still image"):
        open_scan(str(tmp_path / "a.png"))


@pytest.mark.parametrize("scan", ["camera:99", "camera:x", "camera:-1"])
async def test_camera_that_is_not_there_is_reported(scan: str) -> None:
    with pytest.raises(SourceError, match="camera"):
        open_scan(scan)


@pytest.fixture
def selfie(tmp_path: Path) -> Path:
    path = tmp_path / "selfie.avi"
    path.write_bytes(video(genuine(26)))
    return path


def _ticket(folder: Path, token: str, key: str) -> Path:
    path = folder / "ticket.json"
    path.write_text(json.dumps({"scan_token": token, "challenge_key_sha256": key}))
    return path


@pytest.mark.slow
async def test_it_scans_for_a_backend_of_another_make(tmp_path: Path, selfie: Path) -> None:
    """Only the generated stubs call the service; a server process serves both."""
    async with DataFolder(tmp_path / "home").serving() as server:
        pinned_wrong, check = [await server.upload(str(uuid4())) for _ in range(2)]
        arguments = (
            *("--ticket", str(_ticket(tmp_path, pinned_wrong.scan_token, "0" * 64))),
            *("--device", server.device_target, "--scan", str(selfie), "--json"),
        )
        run = await _run(None, *arguments)
        assert run.exit_code == 2
        assert "other than the pinned one" in " ".join(run.stderr.split())
        _ticket(tmp_path, check.scan_token, check.challenge_key_sha256.hex())
        run = await _run(None, *arguments)
        # A busy machine sends too few frames for a success.
        assert run.exit_code in {0, 1}, run.stderr
        assert json.loads(run.stdout)["status"]
        assert check.scan_token not in run.stdout + run.stderr
        response = await server.finished(check.check_id)
        assert response.result.transcript.frames
        # One token opens one scan.
        run = await _run(None, *arguments)
        assert run.exit_code == 2
        assert "CHECK_CLOSED" in run.stderr


async def _invoked(fake: FakeServer, folder: Path, *arguments: str) -> Result:
    async with serving(fake) as target:
        key = base64.b64encode(fake.challenge_key_sha256).decode()
        ticket = ("--ticket", str(_ticket(folder, fake.token, key)), "--device", target)
        return await _run(None, *ticket, *arguments)


async def test_the_device_makes_no_call_but_the_scan(tmp_path: Path, selfie: Path) -> None:
    fake = FakeServer()
    result = await _invoked(fake, tmp_path, "--scan", str(selfie))
    assert result.exit_code == 0, result.stderr
    assert "The scan has ended" in result.stdout
    assert fake.violations == []
    assert fake.uploads == []
    assert len(fake.starts) == 1
    assert fake.token not in result.stdout + result.stderr
    assert scan_pb2.CAPABILITY_OPEN_MOUTH in fake.starts[0].capabilities


async def test_a_refusal_is_an_error(tmp_path: Path, selfie: Path) -> None:
    fake = FakeServer(StreamPlan(refuse=Refuse(code=grpc.StatusCode.UNAUTHENTICATED, reason="TOKEN_EXPIRED")))
    result = await _invoked(fake, tmp_path, "--scan", str(selfie))
    assert result.exit_code == 2
    assert "TOKEN_EXPIRED" in result.stderr


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "scan_token"),
        (b"\xff\xfe", "scan_token"),
        (b"[" * 100_000, "scan_token"),
        (b'["token"]', "scan_token"),
        (b'{"scan_token": "one\\ntwo"}', "scan_token"),
        (b'{"scan_token": "%s"}' % (b"x" * 2_000), "scan_token"),
        (b'{"scan_token": "token"}', "challenge_key_sha256"),
        *(
            (b'{"scanToken": "token", "challengeKeySha256": "%s"}' % key, "challenge_key_sha256")
            for key in (b"0" * 62, b"g" * 64, b"AAAA")
        ),
    ],
)
async def test_a_wrong_ticket_is_refused_before_a_connection(
    tmp_path: Path, content: bytes, named: str
) -> None:
    file = tmp_path / "ticket.json"
    await asyncio.to_thread(file.write_bytes, content)
    # Nothing listens there.
    run = await _run(None, "--ticket", str(file), "--device", "127.0.0.1:9", "--scan", "x")
    assert run.exit_code == 2
    assert named in run.stderr


def test_the_token_is_no_argument(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["verify", "--token", "secret"])
    assert result.exit_code == 2
    assert "No such option" in result.stderr
