"""A whole server: overload, shared storage, and the documented clients."""

import asyncio
import base64
import functools
import json
import re
import runpy
import tomllib
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import obstore
import pytest
import trustme
from facegate.v1 import result_pb2, scan_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from device_integrity.errors import ReferenceDataMalformed
from facegate_client import FaceScanner, ScanTicket, open_channel, open_video
from server.base.errors import ConfigurationError
from server.configuration import tables
from server.configuration.loading import load_settings
from server.configuration.settings import ServiceTls, Settings
from server.device.revocation import read_revocation_files
from server.device.server_keys import ServerKeyList
from server.domain.terms import AttemptOutcome
from server.domain.tries import SANDBOX_RULES
from server.edge.callers import LOCAL_TENANT
from server.policies.loading import PolicyInvalid, load_policies
from server.running.app import FacegateServer
from server.running.tls import TlsFiles
from server.storage.errors import SchemaOutdated
from server.storage.schema import upgrade
from tests.docs.pages import REPOSITORY, CodeBlock, code_blocks
from tests.server.analysis.uploads import genuine, video
from tests.server.databases import PostgresServer
from tests.server.live import FAST, LiveServer, pictures, portrait, serving, settings_for, until
from tests.server.models_once import remembering_pack
from tests.server.object_stores import running_s3
from tests.server.package_backend import PACKAGE_README, backend_of_the_package
from tests.server.private_files import private
from tests.server.raw_device import RawDevice
from tests.server.refusals import refusal_of, refused
from vision.packs.interfaces import FaceDetector

# Calls beyond a server's limits, and beyond their deadline.


class _Held:
    """A detector that waits until the test releases it."""

    def __init__(self, model: FaceDetector, loop: asyncio.AbstractEventLoop) -> None:
        self._model, self._loop = model, loop
        self.release = asyncio.Event()
        self.held = 0

    def detect(self, image: Any) -> Any:
        self.held += 1
        asyncio.run_coroutine_threadsafe(self.release.wait(), self._loop).result(60)
        return self._model.detect(image)


async def test_scans_beyond_the_limit_are_asked_to_come_later(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, limits={"max_scans": 2})) as live:
        uploads = [await live.upload() for _ in range(3)]
        streams = [await RawDevice(live.device, upload).open() for upload in uploads[:2]]
        third = RawDevice(live.device, uploads[2])
        refusal = await third.refusal()
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refusal.retry_seconds
        assert 1 <= float(refusal.metadata.pop("retrySeconds")) <= 30
        assert refusal.metadata == {"limit": "2"}
        for stream in streams:
            await stream.vanish()
        await live.unattended()
        assert (await (await third.open()).run_attempt(pictures())).status == scan_pb2.SCAN_STATUS_SUCCESS


async def test_unary_calls_beyond_the_limit_and_beyond_their_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.running.capacity.WAIT_SECONDS", 0.2)
    held = _Held(remembering_pack().detector, asyncio.get_running_loop())
    pack = replace(remembering_pack(), detector=held)
    tuning, settings = replace(FAST, max_unary=1), settings_for(tmp_path, limits={"max_uploads": 1})
    async with serving(settings, pack=pack, tuning=tuning) as live:
        request = service_pb2.UploadTrustedImageRequest(image=portrait(), request_id=str(uuid4()))
        first = asyncio.ensure_future(live.service.UploadTrustedImage(request))
        await until(lambda: held.held > 0)

        refusal = await refusal_of(live.upload())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert refusal.retry_seconds
        # A result is still available.
        assert (await refusal_of(live.finish(str(uuid4())))).reason == "CHECK_NOT_FOUND"
        held.release.set()
        accepted = await first
        held.release.clear()

        # The same request again is answered from storage; a new one waits for its deadline.
        assert await live.service.UploadTrustedImage(request, timeout=60) == accepted
        late = service_pb2.UploadTrustedImageRequest(image=portrait(), subject_reference="late")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await live.service.UploadTrustedImage(late, timeout=0.5)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        held.release.set()

        async def served_again() -> bool:
            try:
                return bool((await live.upload()).check_id)
            except grpc.aio.AioRpcError as error:
                return refused(error).reason != "OVERLOADED"

        await until(served_again)


async def test_the_servers_own_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.edge.service_servicer._MAX_SECONDS", 0.2)
    held = _Held(remembering_pack().detector, asyncio.get_running_loop())
    async with serving(settings_for(tmp_path), pack=replace(remembering_pack(), detector=held)) as live:
        refusal = await refusal_of(live.upload())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
        held.release.set()


# Files without secrets that define trust: other users must not be able to write them.


def _settings(file: Path) -> None:
    load_settings(file)


def _policies(file: Path) -> None:
    load_policies(file.parent)


def _revocation(file: Path) -> None:
    read_revocation_files(file)


def _server_keys(file: Path) -> None:
    ServerKeyList(listed=(), file=file, shown=lambda: None, complete=False, monotonic=lambda: 0.0)


def _client_authority(file: Path) -> None:
    issued = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("localhost")
    certificate, key = file.with_name("server.pem"), file.with_name("server.key")
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    private(key, issued.private_key_pem.bytes())
    TlsFiles(ServiceTls(certificate=certificate, key=key, client_ca=file))


@pytest.mark.parametrize(
    ("name", "read", "error"),
    [
        ("facegate.toml", _settings, ConfigurationError),
        ("policy.toml", _policies, PolicyInvalid),
        ("revoked.json", _revocation, ReferenceDataMalformed),
        ("keys.txt", _server_keys, ConfigurationError),
        ("clients.pem", _client_authority, ConfigurationError),
    ],
)
def test_a_file_that_others_may_write_is_refused(
    tmp_path: Path, name: str, read: Callable[[Path], None], error: type[Exception]
) -> None:
    file = tmp_path / name
    file.write_bytes(b"")
    file.chmod(0o646)
    with pytest.raises(error, match=r"0646.*chmod o-w"):
        read(file)


# Two replicas over one PostgreSQL share their state.


@pytest.mark.slow
async def test_any_replica_answers_for_a_check(postgres: PostgresServer, tmp_path: Path) -> None:
    url = await postgres.new_database()
    settings = settings_for(tmp_path, storage={"database_url": url})
    early = FacegateServer(settings, pack=remembering_pack())
    with pytest.raises(SchemaOutdated, match="facegate db upgrade"):
        await early.start()
    await early.stop()
    await upgrade(url)

    async with serving(settings) as first, serving(settings) as second:
        request_id = str(uuid4())
        uploads = await asyncio.gather(
            *(replica.upload(request_id=request_id) for replica in (first, second) for _ in range(4))
        )
        assert len({(upload.check_id, upload.scan_token) for upload in uploads}) == 1
        upload = uploads[0]

        # The device loses its first replica in the middle of an attempt, and reconnects to the other.
        device = RawDevice(first.device, upload)
        lost = await device.open()
        await lost.begin()
        await lost.send_frames(pictures()[:10])
        device.rebind(second.device)
        stream = await device.resume()
        await stream.run_attempt(pictures())
        assert await stream.outcome() is None
        refusal = await lost.refusal()
        # It notices either the loss of its lease or the decision first.
        assert refusal.reason in {"SUPERSEDED", "CHECK_CLOSED"}
        attempts = await first.attempts(upload.check_id)
        assert [attempt.outcome for attempt in attempts] == [
            AttemptOutcome.INTERRUPTED,
            AttemptOutcome.DECIDED,
        ]

        answers = await asyncio.gather(*(r.finish(upload.check_id) for r in (first, second, first)))
        assert {answer.result.status for answer in answers} == {result_pb2.CHECK_STATUS_SUCCESS}
        # The signatures differ, because ECDSA draws a number for each; the signed bytes do not.
        assert len({answer.result.SerializeToString(deterministic=True) for answer in answers}) == 1
        assert len({answer.result_jws.split(".")[1] for answer in answers}) == 1
        assert answers[0].evidence_frame.image in {picture.jpeg for picture in pictures()}
        assert not (tmp_path / "data" / "facegate.db").exists()
    await postgres.drop_database(url)


# A whole server on a real S3: the customer's trusted images in one bucket, the evidence in another.


@pytest.mark.slow
async def test_a_whole_check_with_portraits_and_evidence_on_s3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "portraits.toml"
    credentials.write_text('access_key_id = "another"\nsecret_access_key = "not-a-secret"\n')
    credentials.chmod(0o600)
    with running_s3(tmp_path) as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        portraits, evidence = s3.make_bucket("portraits"), s3.make_bucket("evidence")
        obstore.put(portraits, "default/now/anna.jpg", portrait())
        obstore.put(portraits, "secret.jpg", portrait())
        settings = settings_for(
            tmp_path,
            storage={"objects_url": "s3://evidence/facegate"},
            trusted_images={
                "source": "s3://portraits/{tenant}/now",
                "s3": {"endpoint": s3.endpoint, "credentials_file": credentials},
            },
        )
        async with serving(settings) as live:
            request = service_pb2.UploadTrustedImageRequest(
                image_reference="anna.jpg", request_id=str(uuid4())
            )
            upload = await live.service.UploadTrustedImage(request)
            for reference, reason in (
                ("berta.jpg", "IMAGE_REFERENCE_NOT_FOUND"),
                ("../../secret.jpg", "IMAGE_REFERENCE_INVALID"),
                ("secret.jpg", "IMAGE_REFERENCE_NOT_FOUND"),
            ):
                assert (
                    await refusal_of(
                        live.service.UploadTrustedImage(
                            service_pb2.UploadTrustedImageRequest(image_reference=reference)
                        )
                    )
                ).reason == reason
            obstore.delete(portraits, "default/now/anna.jpg")
            assert await live.service.UploadTrustedImage(request) == upload

            stream = await RawDevice(live.device, upload).open()
            await stream.run_attempt(pictures())
            assert await stream.outcome() is None
            answer = await live.finish(upload.check_id, audit_images=2)
            assert answer.result.status == result_pb2.CHECK_STATUS_SUCCESS
            assert answer.evidence_frame.image.startswith(b"\xff\xd8")
            kept = {entry["path"] for batch in obstore.list(evidence) for entry in batch}
            assert len(kept) >= 3
            assert all(key.startswith("facegate/") for key in kept)
            assert all(b"\xff\xd8\xff" not in bytes(obstore.get(evidence, key).bytes())[:64] for key in kept)
    async with serving(settings) as live:
        away = await refusal_of(
            live.service.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image_reference="anna.jpg"))
        )
        assert (away.reason, away.retry_seconds) == ("IMAGE_REFERENCE_UNAVAILABLE", 2)


# The clients in README.md, examples/stubs and the npm package's README run with a real server.

_README = REPOSITORY / "README.md"
_STUBS = REPOSITORY / "examples" / "stubs"
_JWKS = "/.well-known/jwks.json"
_NO_CHECK = (404, {"reason": "NO_SUCH_CHECK"})


def _code(page: Path, having: str) -> str:
    (found,) = (
        block.text for block in code_blocks(page) if block.language == "python" and having in block.text
    )
    return found


def _names(example: str) -> dict[str, Any]:
    return runpy.run_path(str(_STUBS / example))


async def test_the_client_of_the_readme_verifies_a_person(
    live: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "portrait.jpg").write_bytes(portrait())
    (tmp_path / "selfie.mp4").write_bytes(video(genuine(26)))
    monkeypatch.chdir(tmp_path)
    # A camera's frames are lost on a busy machine.
    monkeypatch.setattr("facegate_client.open_video", functools.partial(open_video, pace="fast"))
    code = _code(_README, "FaceScanner")
    for shown, target in (("8444", live.server.service_target), ("8443", live.server.device_target)):
        assert f'"127.0.0.1:{shown}"' in code
        code = code.replace(f"127.0.0.1:{shown}", target)
    # The tests' server makes sandbox checks.
    code = code.replace("Orchestrator(channel=service)", "Orchestrator(channel=service, accept_sandbox=True)")
    main, runs = re.subn(r"^asyncio\.run\(main\(\)\)$", "", code, flags=re.MULTILINE)
    assert runs == 1
    names: dict[str, Any] = {}
    exec(main, names)  # noqa: S102 - our own page
    await names["main"]()
    assert "status: CHECK_STATUS_SUCCESS" in capsys.readouterr().out


async def test_the_client_on_stubs_follows_a_check(live: LiveServer) -> None:
    facegate_class: Callable[..., Any] = _names("orchestrator.py")["Facegate"]
    verify: Callable[..., bytes] = _names("verify_result.py")["verify_result"]

    def follow() -> tuple[list[str], result_pb2.CheckResult]:
        with grpc.insecure_channel(live.server.service_target) as channel:
            facegate = facegate_class(channel)
            check = facegate.upload(portrait(), request_id=str(uuid4()), subject="customer-4711")
            states = facegate.states(check.check_id)
            seen = [next(states)]
            seen.append(facegate.cancel(check.check_id))
            seen += states
            response = facegate.finish(check.check_id)
        with urllib.request.urlopen(f"http://127.0.0.1:{live.server.admin_port}{_JWKS}") as answer:
            jwks = json.load(answer)
        # The signature holds; the tests' server makes sandbox checks, and those are refused last.
        with pytest.raises(ValueError, match="a sandbox result"):
            verify(response.result_jws, jwks, issuer="facegate", tenant=LOCAL_TENANT)
        return [service_pb2.CheckProgress.State.Name(progress.state) for progress in seen], response.result

    names, result = await asyncio.to_thread(follow)
    assert names == ["STATE_WAITING", "STATE_DECIDED", "STATE_DECIDED"]
    assert list(result.reasons) == [result_pb2.FAILURE_REASON_CANCELLED]


async def test_the_client_on_stubs_prints_the_reason_of_a_refusal(live: LiveServer) -> None:
    names = _names("orchestrator.py")

    def refused() -> tuple[str, float | None]:
        with (
            grpc.insecure_channel(live.server.service_target) as channel,
            pytest.raises(grpc.RpcError) as caught,
        ):
            names["Facegate"](channel).upload(b"no picture", request_id=str(uuid4()), subject="customer-4711")
        found: tuple[str, float | None] = names["refusal"](caught.value)
        return found

    assert await asyncio.to_thread(refused) == ("IMAGE_FORMAT_NOT_SUPPORTED", None)


async def _scan(live: LiveServer, ticket: dict[str, str], video: Path) -> None:
    fingerprint = base64.b64decode(ticket["challengeKeySha256"])
    async with open_channel(live.server.device_target) as device:
        await FaceScanner(
            channel=device,
            ticket=ScanTicket(token=ticket["token"], challenge_key_sha256=fingerprint),
            source=open_video(video),
        ).scan()


@pytest.fixture
def selfie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's video, in the current folder with their portrait."""
    (tmp_path / "portrait.jpg").write_bytes(portrait())
    (tmp_path / "selfie.mp4").write_bytes(video(genuine(26)))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "selfie.mp4"


async def test_the_backend_of_the_package_reads_each_verdict_once(live: LiveServer, selfie: Path) -> None:
    with backend_of_the_package(live.server.service_target) as post:
        assert await asyncio.to_thread(post, "/verdict") == _NO_CHECK
        # The person leaves before the scan.
        _, ticket = await asyncio.to_thread(post, "/checks")
        left = await asyncio.to_thread(post, "/verdict", ticket["checkId"])
        assert left == (200, {"verified": False, "reasons": ["FAILURE_REASON_CANCELLED"]})
        _, ticket = await asyncio.to_thread(post, "/checks")
        await _scan(live, ticket, selfie)
        assert await asyncio.to_thread(post, "/verdict") == _NO_CHECK
        verified = await asyncio.to_thread(post, "/verdict", ticket["checkId"])
        assert verified == (200, {"verified": True, "reasons": []})
        assert await asyncio.to_thread(post, "/verdict", ticket["checkId"]) == _NO_CHECK
        # Nor is there a verdict of an older check once a portrait was refused.
        _, ticket = await asyncio.to_thread(post, "/checks")
        await _scan(live, ticket, selfie)
        (selfie.parent / "portrait.jpg").write_bytes(b"no picture")
        refused = await asyncio.to_thread(post, "/checks")
        assert refused == (500, {"reason": "IMAGE_FORMAT_NOT_SUPPORTED", "retryAfterMs": 0})
        assert await asyncio.to_thread(post, "/verdict", ticket["checkId"]) == _NO_CHECK


async def test_the_backend_of_the_package_tells_the_page_when_to_try_again(
    selfie: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = replace(SANDBOX_RULES, maximum=1, lock=timedelta(minutes=10), block=timedelta(days=1))
    monkeypatch.setattr(tables, "SANDBOX_RULES", rules)
    (tmp_path / "portrait.jpg").write_bytes(portrait("red-shirt"))
    async with serving(settings_for(tmp_path / "server"), tuning=FAST) as live:
        with backend_of_the_package(live.server.service_target) as post:
            _, ticket = await asyncio.to_thread(post, "/checks")
            await _scan(live, ticket, selfie)
            status, answer = await asyncio.to_thread(post, "/verdict", ticket["checkId"])
            assert (status, answer["verified"]) == (200, False)
            status, answer = await asyncio.to_thread(post, "/checks")
    assert (status, answer["reason"]) == (429, "TOO_MANY_FAILURES")
    assert 540_000 < answer["retryAfterMs"] <= 600_000


async def test_the_backend_of_the_package_tells_the_page_of_an_outage(selfie: Path) -> None:
    # Nothing listens there.
    with backend_of_the_package("127.0.0.1:9") as post:
        outage = await asyncio.to_thread(post, "/checks")
        assert outage == (503, {"reason": "ConnectionFailedError"})
        selfie.with_name("portrait.jpg").unlink()
        assert await asyncio.to_thread(post, "/checks") == (503, {"reason": "FileNotFoundError"})


_SETTINGS = [block for block in code_blocks(PACKAGE_README) if block.language == "toml"]


@pytest.mark.parametrize("block", _SETTINGS, ids=lambda block: f"line {block.line}")
def test_the_settings_of_the_package_are_valid(block: CodeBlock) -> None:
    web = Settings(**tomllib.loads(block.text)).device_integrity.web
    assert web is not None
    assert len(web.origins) == 1
