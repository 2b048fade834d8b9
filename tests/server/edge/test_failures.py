"""Every error of the storage has its refusal: none reaches a caller as a fault of the server."""

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from server.domain.state import CheckState
from server.domain.tries import Standing, TryKind
from server.edge.failures import as_refusal
from server.errors import Reason
from server.storage import errors
from server.storage.errors import StorageError

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
