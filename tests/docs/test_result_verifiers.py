"""The functions of examples/stubs that verify a result, against the signer."""

import base64
import json
import runpy
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc.errors import JoseError

from server.keyring.result_signer import ResultSigner
from tests.docs.pages import REPOSITORY
from tests.sampling import some_fast

_STUBS = REPOSITORY / "examples" / "stubs"
_ISSUER, _TENANT = "https://facegate.bank.example", "retail"
_PAYLOAD = b"\x0a\x04bank\x10\x01"
_SIGNER = ResultSigner(ec.generate_private_key(ec.SECP256R1()), issuer=_ISSUER)
_STRANGER = ResultSigner(ec.generate_private_key(ec.SECP256R1()), issuer=_ISSUER)
_JWKS = _SIGNER.jwks()
_GOOD = _SIGNER.sign(_PAYLOAD, tenant=_TENANT, sandbox=False)


class Verifier(Protocol):
    """Verifies a result as a function of the page does."""

    def __call__(self, result_jws: str, *, sandbox: bool = False) -> str | None:
        """Return the error, empty if it is not known; ``None`` if the payload is the one that was signed."""


def _python(_folder: Path) -> Verifier:
    verify: Callable[..., bytes] = runpy.run_path(str(_STUBS / "verify_result.py"))["verify_result"]

    def refusal(result_jws: str, *, sandbox: bool = False) -> str | None:
        try:
            payload = verify(result_jws, _JWKS, issuer=_ISSUER, tenant=_TENANT, accept_sandbox=sandbox)
        except (ValueError, InvalidSignature) as error:
            return str(error)
        assert payload == _PAYLOAD
        return None

    return refusal


def _java(folder: Path) -> Verifier:
    java, javac = shutil.which("java"), shutil.which("javac")
    if java is None or javac is None:
        pytest.skip("no Java")
    source = str(_STUBS / "VerifyResult.java")
    subprocess.run([javac, "-d", ".", source], cwd=folder, check=True, capture_output=True, timeout=60)
    (key,) = _JWKS["keys"]

    def refusal(result_jws: str, *, sandbox: bool = False) -> str | None:
        (folder / "result.jws").write_text(result_jws)
        words = [java, "VerifyResult", "result.jws", key["kid"], key["x"], key["y"], _ISSUER, _TENANT]
        words += ["sandbox"] if sandbox else []
        return _refusal(words, folder, expected=f"valid: {len(_PAYLOAD)} bytes\n")

    return refusal


def _refusal(words: list[str], folder: Path, *, expected: str) -> str | None:
    done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        return done.stderr
    assert done.stdout == expected
    return None


def _with_header(result_jws: str, **changes: Any) -> str:
    head, body, tail = result_jws.split(".")
    header: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(head + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**header, **changes}).encode()).decode().rstrip("=")
    return f"{changed}.{body}.{tail}"


_HEAD, _BODY, _TAIL = _GOOD.split(".")
_REFUSED = {
    "another payload": f"{_HEAD}.{_BODY[:-1]}A.{_TAIL}",
    "another header": _with_header(_GOOD, tenant="other"),
    "no algorithm": _with_header(_GOOD, alg="none"),
    "no signature": f"{_HEAD}.{_BODY}.",
    "another key": _STRANGER.sign(_PAYLOAD, tenant=_TENANT, sandbox=False),
    "another tenant": _SIGNER.sign(_PAYLOAD, tenant="other", sandbox=False),
    "no issuer": _SIGNER.sign(_PAYLOAD, tenant=None, sandbox=False),
}
_SANDBOX = _SIGNER.sign(_PAYLOAD, tenant=_TENANT, sandbox=True)


@pytest.mark.parametrize("language", some_fast([_python, _java], step=2))
def test_a_result_is_accepted_and_others_are_refused(
    language: Callable[[Path], Verifier], tmp_path: Path
) -> None:
    refusal = language(tmp_path)
    assert refusal(_GOOD) is None
    assert [name for name, result_jws in _REFUSED.items() if refusal(result_jws, sandbox=True) is None] == []
    # Of a sandbox only for a caller that says so.
    assert "a sandbox result" in (refusal(_SANDBOX) or "")
    assert refusal(_SANDBOX, sandbox=True) is None


def _verified_claims(token: str) -> dict[str, Any]:
    verify: Callable[..., dict[str, Any]] = runpy.run_path(str(_STUBS / "verify_jwt.py"))["verified_claims"]
    return verify(token, _JWKS, issuer=_ISSUER, tenant=_TENANT, check_id="4711")


_CLAIMS = {"aud": _TENANT, "check_id": "4711", "status": "SUCCESS"}


def test_the_claims_of_a_result_are_read_by_a_jwt_library() -> None:
    assert _verified_claims(_SIGNER.sign_claims(_CLAIMS)) == {"iss": _ISSUER, **_CLAIMS}


@pytest.mark.parametrize(
    "token",
    [
        _STRANGER.sign_claims(_CLAIMS),
        _SIGNER.sign_claims(_CLAIMS | {"aud": f"sandbox:{_TENANT}"}),
        _SIGNER.sign_claims(_CLAIMS | {"check_id": "4712"}),
        _SIGNER.sign_claims(_CLAIMS | {"iss": "https://elsewhere.example"}),
        _SIGNER.sign(
            json.dumps({"iss": _ISSUER, **_CLAIMS}).encode(),
            tenant=None,
            sandbox=False,
            kind="facegate-review",
        ),
        _GOOD,
    ],
    ids=["stranger", "sandbox", "other check", "other issuer", "review", "result"],
)
def test_other_tokens_are_no_claims_of_the_result(token: str) -> None:
    with pytest.raises((JoseError, ValueError)):
        _verified_claims(token)
