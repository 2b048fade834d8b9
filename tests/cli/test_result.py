"""``facegate result verify``: a saved result, without a server."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from facegate.v1 import result_pb2, verification_service_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from typer.testing import CliRunner

from cli.main import app
from cli.verdict import save_verdict
from tests.client.fake_server import FakeServer


@dataclass(frozen=True, slots=True)
class Saved:
    """Saved files: a signed result and the keys."""

    fake: FakeServer
    result: result_pb2.CheckResult
    jws: Path
    jwks: Path


def _result(fake: FakeServer) -> result_pb2.CheckResult:
    result = fake.result()
    result.status = result_pb2.CHECK_STATUS_FAILURE
    result.reasons.append(result_pb2.FAILURE_REASON_SPOOF)
    result.device.tolerated_checks.append("memory.frames")
    result.policy.CopyFrom(result_pb2.PolicyReference(name="standard", version=3, sha256=b"\xab" * 32))
    result.decide_time.CopyFrom(Timestamp(seconds=1_795_500_000))
    return result


def _save(folder: Path, *, sandbox: bool = False) -> Saved:
    fake = FakeServer()
    fake.sandbox = sandbox
    result = _result(fake)
    response = verification_service_pb2.FinishCheckResponse(
        result=result, result_jws=fake.signed(result.SerializeToString())
    )
    save_verdict(response, folder)
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps(fake.jwks))
    return Saved(fake, result, folder / f"{fake.check_id}.jws", jwks)


def _run(*words: str, given: str | None = None) -> tuple[int, str, str]:
    ran = CliRunner().invoke(app, ["result", "verify", *words], input=given, env={"COLUMNS": "200"})
    return ran.exit_code, ran.stdout, ran.stderr


def test_a_result_saved_by_facegate_verify_is_verified(tmp_path: Path) -> None:
    saved = _save(tmp_path)
    code, output, _ = _run(str(saved.jws), "--jwks", str(saved.jwks))
    assert code == 0
    waived = "Waived by the policy: memory.frames"
    for expected in (waived, "SPOOF", saved.fake.check_id, "2026-11-24T", "standard version 3", "result-1"):
        assert expected in output


def test_standard_input_is_read_and_json_printed(tmp_path: Path) -> None:
    saved = _save(tmp_path)
    code, output, _ = _run("-", "--jwks", str(saved.jwks), "--json", given=saved.jws.read_text())
    assert code == 0
    said = json.loads(output)
    assert (said["verified"], said["key_id"], said["sandbox"]) == (True, "result-1", False)
    assert (said["issuer"], said["tenant"]) == ("bank", "retail")
    assert said["result"]["reasons"] == ["FAILURE_REASON_SPOOF"]
    assert said["result"]["check_id"] == saved.fake.check_id


def test_a_sandbox_result_is_refused_unless_it_is_accepted(tmp_path: Path) -> None:
    saved = _save(tmp_path, sandbox=True)
    arguments = (str(saved.jws), "--jwks", str(saved.jwks))
    code, output, messages = _run(*arguments)
    assert (code, output) == (1, "")
    assert "sandbox" in messages
    code, output, _ = _run(*arguments, "--accept-sandbox", "--json")
    assert code == 0
    assert json.loads(output)["sandbox"] is True
    assert "made for tests" in _run(*arguments, "--accept-sandbox")[1]


def test_the_result_of_another_check_issuer_or_tenant_is_refused(tmp_path: Path) -> None:
    saved = _save(tmp_path)
    arguments = (str(saved.jws), "--jwks", str(saved.jwks))
    assert _run(*arguments, "--expect-check-id", saved.fake.check_id)[0] == 0
    other = FakeServer().check_id
    code, output, messages = _run(*arguments, "--expect-check-id", other)
    assert (code, output) == (1, "")
    assert saved.fake.check_id in messages
    assert other in messages
    assert _run(*arguments, "--expect-issuer", "bank", "--expect-tenant", "retail")[0] == 0
    assert _run(*arguments, "--expect-issuer", "other")[0] == 1
    assert _run(*arguments, "--expect-tenant", "other")[0] == 1


def _altered(text: str) -> str:
    head, payload, signature = text.strip().split(".")
    return ".".join((head, payload[:-4] + ("AAAA" if payload[-4:] != "AAAA" else "BBBB"), signature))


def test_an_altered_result_and_one_of_another_server_are_refused(tmp_path: Path) -> None:
    saved, other = _save(tmp_path), _save(tmp_path / "other")
    for given, jwks in ((_altered(saved.jws.read_text()), saved.jwks), (saved.jws.read_text(), other.jwks)):
        code, output, messages = _run("-", "--jwks", str(jwks), given=given)
        assert (code, output) == (1, "")
        assert "signature" in messages


@pytest.mark.parametrize("given", ["", "not a JWS, but é"])
def test_anything_but_a_jws_is_refused(tmp_path: Path, given: str) -> None:
    code, output, messages = _run("-", "--jwks", str(_save(tmp_path).jwks), given=given)
    assert code in (1, 2)
    assert output == ""
    assert "JWS" in messages


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    saved = _save(tmp_path)
    missing = str(tmp_path / "missing")
    for words, named in (
        ((missing, "--jwks", str(saved.jwks)), missing),
        ((str(saved.jws), "--jwks", missing), missing),
        ((str(tmp_path), "--jwks", str(saved.jwks)), "folder"),
        ((str(saved.jws), "--jwks", str(saved.jws)), "JWKS"),
        ((str(saved.jws), "--jwks", "http://127.0.0.1:1/jwks.json"), "offline"),
    ):
        code, output, messages = _run(*words)
        assert (code, output) == (2, "")
        assert named in messages
