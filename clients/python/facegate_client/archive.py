"""Verifies every hash and signature of evidence archives, evidence records and reviews, offline."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from facegate.v1 import result_pb2

from facegate_client.errors import ClientError, SandboxResultError, ServerNotTrustedError
from facegate_client.result_signature import KeySet, verified_payload, verify_result_jws
from facegate_protocol import sha256

_ARCHIVE_TYPE: Final = "facegate-archive"
_RECORD_TYPE: Final = "facegate-record"
_REVIEW_TYPE: Final = "facegate-review"
_RESULT_TYPE: Final = "facegate-result"
_REVIEW_VERSION: Final = 1
_FORMAT: Final = "facegate-evidence/1"
_MANIFEST: Final = "manifest.json"
_SIGNATURE: Final = "manifest.jws"
_ABOUT: Final = "subject.json"
_MOST_FILES: Final = 64
_LARGEST: Final = 64 * 1024 * 1024
"""The largest archive, and the largest sum of its files: a ZIP file must not unpack without bound."""

_LOCAL_HEADER: Final = struct.Struct("<4s5H3L2H")
"""The header of a file in a ZIP file (APPNOTE 4.3.7). It ends with the sizes of name and extra field."""
_DATA_DESCRIPTOR: Final = 0x08
"""The flag of a file whose sizes stand behind it, which our archives do not use."""
_END_MARK: Final = b"PK\x05\x06"
_END_SIZE: Final = 22

_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What ``zipfile`` raises for a damaged file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedArchive:
    """An archive whose signatures and hashes hold.

    Attributes:
        files: The files by name, without manifest and signature.
    """

    manifest: Mapping[str, Any]
    result: result_pb2.CheckResult
    files: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRecord:
    """A record whose signatures hold."""

    record: Mapping[str, Any] = field(repr=False)
    result: result_pb2.CheckResult


def verify_archive(
    content: bytes,
    keys: KeySet,
    *,
    issuer: str | None = None,
    tenant: str | None = None,
    accept_sandbox: bool = False,
) -> VerifiedArchive:
    """Verify the archive of ExportEvidence.

    Args:
        keys: The server's published keys, from a source that you trust: not from the archive.
        issuer: The expected issuer; ``None`` for any.
        tenant: The expected tenant; ``None`` for any.
        accept_sandbox: Whether archives of sandbox checks are accepted: only in tests.

    Raises:
        ServerNotTrustedError: The file is no archive; a signature is wrong; a file is altered, missing or not
            listed; or the parts are of different checks.
        SandboxResultError: The check is a sandbox check, and ``accept_sandbox`` is false.
    """
    # 1. The file is a ZIP file within the limits.
    files = _files(content)
    if _MANIFEST not in files or _SIGNATURE not in files:
        raise ServerNotTrustedError(
            f"the file is no archive of evidence: it has no {_MANIFEST} and {_SIGNATURE}; give a file that "
            "`facegate checks export` wrote"
        )
    # 2. The manifest is the server's.
    payload = verified_payload(
        _text(files.pop(_SIGNATURE), _SIGNATURE), keys, kind=_ARCHIVE_TYPE, issuer=issuer, tenant=tenant
    )
    if payload != files.pop(_MANIFEST):
        raise ServerNotTrustedError(f"{_MANIFEST} is not the one that was signed; export the check again")
    manifest = _object(payload, _MANIFEST)
    if manifest.get("format") != _FORMAT:
        raise ServerNotTrustedError(
            f"the archive has the format {str(manifest.get('format'))[:64]!r}; this client reads {_FORMAT!r}"
        )
    # 3. Every file is listed with its SHA-256, and no listed file is missing.
    _match_files(files, manifest)
    # 4. The result is the server's, and of the same check.
    result = verify_result_jws(
        _text(files.get("result.jws", b""), "result.jws"),
        keys,
        issuer=issuer,
        tenant=tenant,
        accept_sandbox=accept_sandbox,
    )
    record = _object(files.get("record.json", b""), "record.json").get("record", {})
    if result.check_id != manifest.get("check_id") or _check_id(record) != result.check_id:
        raise ServerNotTrustedError("manifest, record and result are of different checks")
    # 5. The review by people, if there is one, is the server's, and about this result.
    if "review.jws" in files:
        verify_review_jws(
            _text(files["review.jws"], "review.jws"),
            keys,
            result_jws=_text(files["result.jws"], "result.jws"),
            issuer=issuer,
            tenant=tenant,
            accept_sandbox=accept_sandbox,
        )
    # 6. The images that the result names are the ones in the archive, unless the manifest states a problem.
    _match_images(files, manifest, result)
    return VerifiedArchive(manifest=manifest, result=result, files=files)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedCheck:
    """A check in the export of a person.

    Attributes:
        archive: Its archive, if that is genuine.
        left_out: Why the server exported none, such as ``CHECK_NOT_DECIDED``; empty if it did.
        problem: Why the archive is refused; empty if it is genuine or left out.
    """

    check_id: str
    archive: VerifiedArchive | None = field(default=None, repr=False)
    left_out: str = ""
    problem: str = ""


def verify_person_export(
    file: BinaryIO,
    keys: KeySet,
    *,
    issuer: str | None = None,
    tenant: str | None = None,
    accept_sandbox: bool = False,
) -> Iterator[ExportedCheck]:
    """Verify the archives in the export of ExportSubject, one at a time; its list of them is not signed.

    Args:
        file: A ZIP file for which ``is_person_export`` is true. See ``verify_archive`` for the others.

    Raises:
        ServerNotTrustedError: The list cannot be read.
    """
    try:
        with zipfile.ZipFile(file) as opened:
            about = _object(_member(opened, _ABOUT), _ABOUT)
            listed = {str(each["check_id"]): str(each.get("left_out", "")) for each in about["checks"]}
            subject = str(about["subject_reference"])
            files = {PurePosixPath(name).stem: name for name in opened.namelist() if name != _ABOUT}
            for check_id in dict.fromkeys((*listed, *files)):
                if check_id not in files:
                    left_out = listed[check_id]
                    problem = "" if left_out else "its archive is missing"
                    yield ExportedCheck(check_id=check_id, left_out=left_out, problem=problem)
                    continue
                try:
                    archive = verify_archive(
                        _member(opened, files[check_id]),
                        keys,
                        issuer=issuer,
                        tenant=tenant,
                        accept_sandbox=accept_sandbox,
                    )
                    if check_id not in listed:
                        raise ServerNotTrustedError(f"{_ABOUT} does not list it")
                    if (archive.result.check_id, archive.result.subject_reference) != (check_id, subject):
                        raise ServerNotTrustedError("it is of another check or person")
                except (ClientError, *_DAMAGE) as error:
                    problem = str(error) if isinstance(error, ClientError) else "it is damaged"
                    yield ExportedCheck(check_id=check_id, problem=problem)
                else:
                    yield ExportedCheck(check_id=check_id, archive=archive)
    except (*_DAMAGE, KeyError, TypeError, AttributeError) as error:
        raise ServerNotTrustedError("the export of the person is damaged: export it again") from error


def is_person_export(file: BinaryIO) -> bool:
    """Return whether a file is a ZIP file with the list of ExportSubject."""
    try:
        with zipfile.ZipFile(file) as opened:
            return _ABOUT in opened.namelist()
    except _DAMAGE:
        return False


def _member(opened: zipfile.ZipFile, name: str) -> bytes:
    if opened.getinfo(name).file_size > _LARGEST:
        raise ServerNotTrustedError(f"{name} has more than {_LARGEST} bytes")
    return opened.read(name)


def verify_record_jws(
    record_jws: str,
    keys: KeySet,
    *,
    issuer: str | None = None,
    tenant: str | None = None,
    accept_sandbox: bool = False,
) -> VerifiedRecord:
    """Verify the signed record of GetEvidence, and the signed result in it.

    Args:
        record_jws: ``GetEvidenceResponse.record_jws``.
        keys: The server's published keys.
        issuer: The expected issuer; ``None`` for any.
        tenant: The expected tenant; ``None`` for any.
        accept_sandbox: Whether records of sandbox checks are accepted: only in tests.

    Raises:
        ServerNotTrustedError: A signature is wrong, or record and result are of different checks.
        SandboxResultError: The check is a sandbox check, and ``accept_sandbox`` is false.
    """
    payload = verified_payload(record_jws, keys, kind=_RECORD_TYPE, issuer=issuer, tenant=tenant)
    record = _object(payload, "the record").get("record")
    if not isinstance(record, dict) or not isinstance(record.get("result_jws"), str):
        raise ServerNotTrustedError("the signed payload is not an evidence record")
    result = verify_result_jws(
        record["result_jws"], keys, issuer=issuer, tenant=tenant, accept_sandbox=accept_sandbox
    )
    if _check_id(record) != result.check_id:
        raise ServerNotTrustedError("record and result are of different checks")
    return VerifiedRecord(record=record, result=result)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReview:
    """A review whose signature holds.

    Attributes:
        outcome: ``"ALLOW"``, ``"DENY"``, ``"ASK_AGAIN"`` or ``"ESCALATE"``.
        result_sha256: SHA-256 of the payload of the result that it is about, 32 bytes.
        content: The whole signed review.
    """

    check_id: str
    outcome: str
    result_sha256: bytes
    content: Mapping[str, Any] = field(repr=False)


def verify_review_jws(
    review_jws: str,
    keys: KeySet,
    *,
    result_jws: str | None = None,
    issuer: str | None = None,
    tenant: str | None = None,
    accept_sandbox: bool = False,
) -> VerifiedReview:
    """Verify a signed review.

    Args:
        review_jws: ``review_jws`` of CheckReview, GetReviewResponse or DecideReviewResponse.
        keys: The server's published keys.
        result_jws: The result that the review must be about; ``None`` to compare ``result_sha256`` yourself.
        issuer: The expected issuer; ``None`` for any.
        tenant: The expected tenant; ``None`` for any.
        accept_sandbox: Whether reviews of sandbox checks are accepted: only in tests.

    Raises:
        ServerNotTrustedError: A signature is wrong, or the review is of another kind, version or result.
        SandboxResultError: The check is a sandbox check, and ``accept_sandbox`` is false.
    """
    payload = verified_payload(review_jws, keys, kind=_REVIEW_TYPE, issuer=issuer, tenant=tenant)
    try:
        content = json.loads(payload)
        if content["version"] != _REVIEW_VERSION:
            raise ServerNotTrustedError(f"the review has another version than {_REVIEW_VERSION}")
        review = VerifiedReview(
            check_id=str(content["check_id"]),
            outcome=str(content["outcome"]),
            result_sha256=bytes.fromhex(content["result_sha256"]),
            content=content,
        )
        sandbox = bool(content["sandbox"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ServerNotTrustedError("the signed payload is not a review") from error
    if sandbox and not accept_sandbox:
        raise SandboxResultError(review.check_id)
    if result_jws is not None:
        result = verified_payload(result_jws, keys, kind=_RESULT_TYPE, issuer=issuer, tenant=tenant)
        if sha256(result) != review.result_sha256:
            raise ServerNotTrustedError("the review is about another result")
    return review


def _files(content: bytes) -> dict[str, bytes]:
    if len(content) > _LARGEST:
        raise ServerNotTrustedError(f"the archive has more than {_LARGEST} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _LARGEST:
                raise ServerNotTrustedError("the archive is larger than any archive of evidence")
            if len({entry.filename for entry in entries}) != len(entries):
                raise ServerNotTrustedError("the archive contains two files of the same name")
            _expect_nothing_between(content, archive)
            return {entry.filename: archive.read(entry) for entry in entries}
    except _DAMAGE as error:
        raise ServerNotTrustedError(
            "the file is no ZIP file, or it was altered; export the check again"
        ) from error


def _expect_nothing_between(content: bytes, archive: zipfile.ZipFile) -> None:
    """Test that the ZIP file contains only its entries, in the order of its directory.

    Otherwise, programs that read a ZIP file from its beginning would show other files than the verified ones.

    Raises:
        ServerNotTrustedError: There are bytes before, between or after the entries, or a comment.
    """
    position = 0
    for entry in archive.infolist():
        header = content[entry.header_offset : entry.header_offset + _LOCAL_HEADER.size]
        (name_size, extra_size) = _LOCAL_HEADER.unpack(header)[-2:]
        if entry.header_offset != position or entry.flag_bits & _DATA_DESCRIPTOR:
            raise ServerNotTrustedError("the ZIP file has bytes that are none of its files")
        position += _LOCAL_HEADER.size + name_size + extra_size + entry.compress_size
    directory = content[position:]
    end = directory[-_END_SIZE:]
    size, start = struct.unpack("<LL", end[12:20])
    if archive.comment or end[:4] != _END_MARK or (start, size) != (position, len(directory) - _END_SIZE):
        raise ServerNotTrustedError("the ZIP file has bytes that are none of its files")


def _match_files(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    try:
        listed = {str(entry["name"]): str(entry["sha256"]) for entry in manifest["files"]}
    except (KeyError, TypeError) as error:
        raise ServerNotTrustedError("the manifest has no list of files") from error
    problems = [f"{name} is missing" for name in sorted(listed.keys() - files.keys())]
    problems += [f"{name} is not listed" for name in sorted(files.keys() - listed.keys())]
    problems += [
        f"{name} was altered"
        for name, content in sorted(files.items())
        if name in listed and sha256(content).hex() != listed[name]
    ]
    if problems:
        raise ServerNotTrustedError("the archive is not the one that was signed: " + "; ".join(problems))


def _match_images(
    files: Mapping[str, bytes], manifest: Mapping[str, Any], result: result_pb2.CheckResult
) -> None:
    present = {sha256(content) for content in files.values()}
    excused = {str(entry.get("sha256")) for entry in manifest.get("missing_images", [])}
    named = [result.evidence_frame] if result.HasField("evidence_frame") else []
    for reference in (*named, *result.audit_images):
        if reference.sha256 not in present and reference.sha256.hex() not in excused:
            raise ServerNotTrustedError(
                f"the result names an image that the archive lacks: SHA-256 {reference.sha256.hex()}"
            )


def _check_id(record: Mapping[str, Any]) -> object:
    outcome = record.get("outcome")
    return outcome.get("check_id") if isinstance(outcome, dict) else None


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ServerNotTrustedError(f"{name} is not JSON") from error
    if not isinstance(content, dict):
        raise ServerNotTrustedError(f"{name} is not a JSON object")
    return content


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise ServerNotTrustedError(f"{name} is not a JWS") from error
