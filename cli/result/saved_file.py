"""Verifies a saved file by its content: a result, an evidence record, or an archive."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from facegate.v1 import result_pb2
from joserfc import jws
from joserfc.errors import JoseError

from cli.errors import FileUnusable
from facegate_client import KeySet, verify_archive, verify_record_jws, verify_result_jws

__all__ = ["VerifiedFile", "verify_saved"]

_ZIP: Final = b"PK\x03\x04"
_RECORD_TYPE: Final = "facegate-record"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedFile:
    """A verified file.

    Attributes:
        kind: ``"result"``, ``"record"`` or ``"archive"``.
        result: The signed result.
        header: The header of the signature of the file.
        manifest: The manifest of an archive; ``None`` for another file.
    """

    kind: str
    result: result_pb2.CheckResult
    header: Mapping[str, Any]
    manifest: Mapping[str, Any] | None = None


def verify_saved(
    content: bytes, keys: KeySet, *, issuer: str | None, tenant: str | None, accept_sandbox: bool
) -> VerifiedFile:
    """Verifies the content of a saved file.

    Args:
        content: The content.
        keys: The trusted keys.
        issuer: The expected issuer; ``None`` for any.
        tenant: The expected tenant; ``None`` for any.
        accept_sandbox: Whether those of sandbox checks are accepted.

    Raises:
        FileUnusable: It is neither an archive nor a JWS.
        ClientError: It is not verified.
    """
    if content.startswith(_ZIP):
        archive = verify_archive(content, keys, issuer=issuer, tenant=tenant, accept_sandbox=accept_sandbox)
        return VerifiedFile(
            kind="archive",
            result=archive.result,
            header=_header(archive.files["result.jws"].decode()),
            manifest=archive.manifest,
        )
    text = _text(content)
    # The unverified header only selects how the file is verified.
    if _type(text) == _RECORD_TYPE:
        record = verify_record_jws(text, keys, issuer=issuer, tenant=tenant, accept_sandbox=accept_sandbox)
        return VerifiedFile(kind="record", result=record.result, header=_header(text))
    result = verify_result_jws(text, keys, issuer=issuer, tenant=tenant, accept_sandbox=accept_sandbox)
    return VerifiedFile(kind="result", result=result, header=_header(text))


def _text(content: bytes) -> str:
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise FileUnusable(
            "contains no JWS; expected three parts of base64url with dots between them, or a ZIP file: give "
            "`result_jws` as FinishCheck returned it, or a file of `facegate checks`"
        )
    return text


def _type(text: str) -> object:
    try:
        return jws.extract_compact(text.encode()).headers().get("typ")
    except (JoseError, ValueError):
        return None


def _header(text: str) -> Mapping[str, Any]:
    return jws.extract_compact(text.encode()).headers()
