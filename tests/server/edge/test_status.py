"""Reasons, their status codes, and their descriptions in the contract."""

import ast
import inspect
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import grpc
import pytest
from facegate.v1 import error_reason_pb2
from google.rpc import error_details_pb2, status_pb2

from docs.make_texts import documented_reasons
from server.base.errors import Reason, Refusal
from server.domain.terms import CheckState
from server.domain.tries import Standing, TryKind
from server.edge.status import CODE_OF, DOMAIN, as_refusal, to_status
from server.storage import errors
from server.storage.errors import StorageError

_REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_reasons_are_those_of_the_contract() -> None:
    wire = {
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    assert {reason.value for reason in Reason} == wire - {"UNSPECIFIED"}


def test_every_reason_has_the_code_that_the_contract_documents() -> None:
    documented = {entry.reason: entry.code for entry in documented_reasons()}
    assert {reason.value: code.name for reason, code in CODE_OF.items()} == documented
    assert set(CODE_OF) == set(Reason)


def test_every_reason_is_raised_somewhere() -> None:
    sources = "\n".join(
        # The table of codes names every reason.
        path.read_text().partition("\ndef ")[2] if path.name == "status.py" else path.read_text()
        for path in (_REPOSITORY / "server").rglob("*.py")
        if path.name != "errors.py"
    )
    later = {
        # Reasons of later issues: records, references into a store, and callers of other kinds.
        "IMAGE_NOT_CONFORMANT",
        "IMAGE_REFERENCE_INVALID",
        "IMAGE_REFERENCE_NOT_FOUND",
        "ISO_39794_NOT_SUPPORTED",
    }
    unused = {reason.value for reason in Reason if not re.search(rf"Reason\.{reason.value}\b", sources)}
    assert unused <= later


def _raised() -> set[tuple[str, bool]]:
    """Every reason that the server's code names in a Refusal, and whether it gives a delay with it."""
    found = set()
    for path in (_REPOSITORY / "server").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Refusal" or not node.args:
                continue
            reason = node.args[0]
            if isinstance(reason, ast.Attribute):
                found.add((reason.attr, any(keyword.arg == "retry_after" for keyword in node.keywords)))
    return found


def test_a_delay_is_given_exactly_for_the_documented_reasons() -> None:
    documented = {entry.reason: entry.retry for entry in documented_reasons()}
    raised = _raised()
    assert len(raised) > 30
    assert {(reason, documented[reason]) for reason, _ in raised} == raised


@pytest.mark.parametrize("retry_after", [None, 0.25])
def test_a_refusal_becomes_one_error_info(retry_after: float | None) -> None:
    refusal = Refusal(
        Reason.OVERLOADED,
        "too much",
        details={"limit": 7, "share": 0.5, "what": "calls"},
        retry_after=retry_after,
    )
    status = to_status(refusal)
    assert status.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status.details == "too much"
    (trailer,) = status.trailing_metadata
    rich = status_pb2.Status.FromString(trailer[1])
    info = error_details_pb2.ErrorInfo.FromString(rich.details[0].value)
    assert (info.domain, info.reason) == (DOMAIN, "OVERLOADED")
    assert dict(info.metadata) == {"limit": "7", "share": "0.5", "what": "calls"}
    assert len(rich.details) == (1 if retry_after is None else 2)
    if retry_after is not None:
        retry = error_details_pb2.RetryInfo.FromString(rich.details[1].value)
        assert retry.retry_delay.nanos == 250_000_000


def test_details_are_the_refusals_own() -> None:
    details: dict[str, str | int | float] = {"a": 1}
    refusal = Refusal(Reason.INTERNAL, "x", details=details)
    details["a"] = 2
    assert refusal.details["a"] == 1


_FINISH, _SCAN = "/facegate.v1.VerificationService/FinishCheck", "/facegate.v1.VerificationService/ScanFace"
_VALUES = {
    "message": "secret",
    "check_id": UUID(int=7),
    "kind": TryKind.SUBJECT,
    "standing": Standing.LOCKED,
    "until": datetime.now(UTC) + timedelta(minutes=5),
    "request_id": "one",
    "holds": 2,
    "reference": "case-17",
    "key": "evidence/one",
    "state": CheckState.DECIDED,
    "lease_epoch": 3,
}


def _classes(of: type[StorageError]) -> Iterator[type[StorageError]]:
    for found in of.__subclasses__():
        yield found
        yield from _classes(found)


def _made(of: type[StorageError], **values: object) -> StorageError:
    if of.__init__ is Exception.__init__:
        return of("secret")
    known = {name: _VALUES[name] for name in list(inspect.signature(of).parameters)}
    return of(**known | values)


@pytest.mark.parametrize("of", sorted(_classes(StorageError), key=str))
def test_no_storage_error_is_a_fault_of_the_server(of: type[StorageError]) -> None:
    assert of.__name__ in errors.__all__
    for method in (_FINISH, _SCAN):
        refusal = as_refusal(_made(of), method=method)
        assert refusal.reason is not Reason.INTERNAL


@pytest.mark.parametrize(
    ("state", "reason", "again"),
    [
        (CheckState.SCANNING, Reason.SCAN_IN_PROGRESS, True),
        (CheckState.WAITING, Reason.SCAN_IN_PROGRESS, True),
        (CheckState.DECIDED, Reason.NOT_SERVING, True),
        (CheckState.ERASED, Reason.EVIDENCE_ERASED, False),
    ],
)
def test_a_lost_race_tells_what_the_check_is_now(state: CheckState, reason: Reason, *, again: bool) -> None:
    refusal = as_refusal(_made(errors.Conflict, state=state), method=_FINISH)
    assert (refusal.reason, refusal.retry_after is not None) == (reason, again)


def test_a_server_that_is_too_old_names_itself_to_backends_only() -> None:
    error = errors.SchemaOutdated("the database is too new")
    assert as_refusal(error, method=_FINISH).reason is Reason.SERVER_OUTDATED
    # Devices of every version resume after this reason.
    assert as_refusal(error, method=_SCAN).reason is Reason.NOT_SERVING
    assert as_refusal(error, method=_SCAN).retry_after


def test_a_database_that_contradicts_itself_is_a_fault() -> None:
    assert as_refusal(StorageError("no record"), method=_FINISH).reason is Reason.INTERNAL
