"""The clients in README.md, docs/orchestrator.md and the npm package's README run with a real server."""

import asyncio
import base64
import json
import re
import tomllib
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client import FaceScanner, ScanTicket, open_channel, open_video
from server.configuration import tables
from server.configuration.settings import Settings
from server.domain.tries import SANDBOX_RULES
from server.edge.callers import LOCAL_TENANT
from tests.docs.pages import REPOSITORY, CodeBlock, code_blocks
from tests.server.analysis.uploads import genuine, video
from tests.server.live import PATIENT, LiveServer, portrait, serving, settings_for
from tests.server.package_backend import PACKAGE_README, backend_of_the_package

_README = REPOSITORY / "README.md"
_GUIDE = REPOSITORY / "docs" / "orchestrator.md"
_JWKS = "/.well-known/jwks.json"
_NO_CHECK = (404, {"reason": "NO_SUCH_CHECK"})


def _code(page: Path, having: str) -> str:
    (found,) = (
        block.text for block in code_blocks(page) if block.language == "python" and having in block.text
    )
    return found


def _names(page: Path, having: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(_code(page, having), names)  # noqa: S102 - our own page
    return names


async def test_the_client_of_the_readme_verifies_a_person(
    live: LiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "portrait.jpg").write_bytes(portrait())
    (tmp_path / "selfie.mp4").write_bytes(video(genuine(26)))
    monkeypatch.chdir(tmp_path)
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


async def test_the_client_of_the_guide_follows_a_check(live: LiveServer) -> None:
    facegate_class: Callable[..., Any] = _names(_GUIDE, "class Facegate")["Facegate"]
    verify: Callable[..., bytes] = _names(_GUIDE, "def verify_result")["verify_result"]

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


async def test_the_client_of_the_guide_prints_the_reason_of_a_refusal(live: LiveServer) -> None:
    names = _names(_GUIDE, "class Facegate")

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


async def test_the_backend_of_the_package_reads_no_verdict_of_an_older_check(
    live: LiveServer, selfie: Path
) -> None:
    with backend_of_the_package(live.server.service_target) as post:
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
    async with serving(settings_for(tmp_path / "server"), tuning=PATIENT) as live:
        with backend_of_the_package(live.server.service_target) as post:
            _, ticket = await asyncio.to_thread(post, "/checks")
            await _scan(live, ticket, selfie)
            status, answer = await asyncio.to_thread(post, "/verdict", ticket["checkId"])
            assert (status, answer["verified"]) == (200, False)
            status, answer = await asyncio.to_thread(post, "/checks")
    assert (status, answer["reason"]) == (429, "TOO_MANY_FAILURES")
    assert 590_000 < answer["retryAfterMs"] <= 600_000


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
