"""FindChecks: an orchestrator finds its checks again, with a real server."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from facegate_client import ApiKey, Orchestrator
from server.checks import finding
from server.storage.audit_reader import AuditFilter, AuditReader
from server.storage.retention import RetentionRepository
from tests.server.api_keys import write_keys
from tests.server.checks.asking import Callers
from tests.server.live import pictures, serving, settings_for
from tests.server.raw_device import RawDevice
from tests.server.refusals import refusal_of

State = service_pb2.CheckProgress.State
_KEYS = {
    "bank": ("bank", False, ""),
    "test": ("bank", True, ""),
    "clerk": ("bank", False, 'scopes = ["checks.list"]'),
    "creator": ("bank", False, 'scopes = ["checks.create"]'),
    "shop": ("shop", False, ""),
}
"""Callers: tenant, sandbox, further lines of the entry."""


@dataclass(frozen=True, slots=True)
class Finders(Callers):
    """A server with callers of two tenants."""

    async def find(self, caller: str, **conditions: object) -> service_pb2.FindChecksResponse:
        return await self.live.service.FindChecks(
            service_pb2.FindChecksRequest(**conditions),  # type: ignore[arg-type]
            metadata=self.metadata(caller),
        )

    async def found(self, caller: str, **conditions: object) -> list[str]:
        """The identifiers on all pages."""
        found: list[str] = []
        token = ""
        while True:
            page = await self.find(caller, **conditions, page_token=token)
            found += [check.check_id for check in page.checks]
            if not (token := page.next_page_token):
                return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def callers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Finders]:
    """A server for the module."""
    folder: Path = tmp_path_factory.mktemp("finding")
    listeners, keys = write_keys(
        folder,
        {
            name: f'roles = ["orchestrator"]\ntenant = "{tenant}"\nsandbox = {str(sandbox).lower()}\n{more}'
            for name, (tenant, sandbox, more) in _KEYS.items()
        },
    )
    async with serving(settings_for(folder, listeners=listeners)) as live:
        yield Finders(live, keys)


async def test_checks_of_a_person_are_found_before_and_after_the_decision(callers: Finders) -> None:
    subject = f"customer-{uuid4()}"
    first = await callers.upload("bank", subject_reference=subject)
    second = await callers.upload("bank", subject_reference=subject)
    await callers.upload("bank", subject_reference="somebody else")
    stream = await RawDevice(callers.live.device, first).open()
    await stream.run_attempt(pictures())
    await stream.outcome()
    newer, older = (await callers.find("bank", subject_reference=subject)).checks
    assert (newer.check_id, older.check_id) == (second.check_id, first.check_id)
    assert (newer.state, newer.status) == (State.STATE_WAITING, result_pb2.CHECK_STATUS_UNSPECIFIED)
    assert not newer.HasField("decide_time")
    assert (older.state, older.status) == (State.STATE_DECIDED, result_pb2.CHECK_STATUS_SUCCESS)
    assert older.create_time.ToDatetime() < older.decide_time.ToDatetime()
    assert {(one.subject_reference, one.policy, one.sandbox) for one in (newer, older)} == {
        (subject, "test", False)
    }


async def test_the_check_of_a_request_is_found_again(callers: Finders) -> None:
    request_id = str(uuid4())
    upload = await callers.upload("bank", request_id=request_id)
    assert await callers.found("bank", request_id=request_id.upper()) == [upload.check_id]
    assert await callers.found("bank", request_id=request_id, subject_reference="nobody") == []
    assert await callers.found("bank", request_id=str(uuid4())) == []
    # The identifiers of another tenant and of the sandbox are others.
    assert await callers.found("shop", request_id=request_id) == []
    assert await callers.found("test", request_id=request_id) == []


async def test_neither_tenants_nor_sandboxes_find_each_others_checks(callers: Finders) -> None:
    subject = f"customer-{uuid4()}"
    made = {
        caller: (await callers.upload(caller, subject_reference=subject)).check_id
        for caller in ("bank", "test", "shop")
    }
    for caller, check_id in made.items():
        assert await callers.found(caller, subject_reference=subject) == [check_id]
        await callers.cancel(caller, check_id)
        assert await callers.found(caller, subject_reference=subject) == [check_id]
        everything = await callers.found(caller)
        assert check_id in everything
        assert not set(everything) & (set(made.values()) - {check_id})


async def test_pages_follow_each_other_and_their_tokens_fit_nothing_else(callers: Finders) -> None:
    subject = f"customer-{uuid4()}"
    made = [(await callers.upload("bank", subject_reference=subject)).check_id for _ in range(4)]
    page = await callers.find("bank", subject_reference=subject, page_size=3)
    assert [check.check_id for check in page.checks] == made[:0:-1]
    rest = await callers.find("bank", subject_reference=subject, page_size=3, page_token=page.next_page_token)
    assert ([check.check_id for check in rest.checks], rest.next_page_token) == (made[:1], "")
    for caller, conditions in (
        ("test", {"subject_reference": subject}),
        ("shop", {"subject_reference": subject}),
        ("bank", {"subject_reference": "somebody else"}),
        ("bank", {"subject_reference": subject, "state": State.STATE_WAITING}),
    ):
        refusal = await refusal_of(callers.find(caller, **conditions, page_token=page.next_page_token))
        assert (refusal.reason, refusal.metadata["field"]) == ("INVALID_FIELD", "page_token")


async def test_a_state_is_found_however_rare_it_is(callers: Finders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_WINDOW", 2)
    subject = f"customer-{uuid4()}"
    made = [(await callers.upload("bank", subject_reference=subject)).check_id for _ in range(5)]
    for check_id in made[1:]:
        await callers.cancel("bank", check_id)
    waiting = {"subject_reference": subject, "state": State.STATE_WAITING}
    first = await callers.find("bank", **waiting)
    assert not first.checks
    assert first.next_page_token
    assert await callers.found("bank", **waiting) == made[:1]
    assert await callers.found("bank", subject_reference=subject, state=State.STATE_DECIDED) == made[:0:-1]


async def test_times_bound_a_list(callers: Finders) -> None:
    subject = f"customer-{uuid4()}"
    made = [(await callers.upload("bank", subject_reference=subject)).check_id for _ in range(2)]
    second = Timestamp()
    second.FromDatetime((await callers.live.record(made[1])).create_time)
    assert await callers.found("bank", subject_reference=subject, created_since=second) == made[1:]
    assert await callers.found("bank", subject_reference=subject, created_before=second) == made[:1]


async def test_a_caller_needs_the_scope_and_learns_a_status_only_if_it_may_fetch_results(
    callers: Finders,
) -> None:
    subject = f"customer-{uuid4()}"
    upload = await callers.upload("bank", subject_reference=subject)
    await callers.cancel("bank", upload.check_id)
    refusal = await refusal_of(callers.find("creator", subject_reference=subject))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    assert refusal.metadata["requiredScope"] == "checks.list"
    for caller, status in (
        ("bank", result_pb2.CHECK_STATUS_FAILURE),
        ("clerk", result_pb2.CHECK_STATUS_UNSPECIFIED),
    ):
        (found,) = (await callers.find(caller, subject_reference=subject)).checks
        assert (found.check_id, found.status) == (upload.check_id, status)


async def test_erased_checks_are_not_found(callers: Finders) -> None:
    subject, request_id = f"customer-{uuid4()}", str(uuid4())
    upload = await callers.upload("bank", subject_reference=subject, request_id=request_id)
    await callers.cancel("bank", upload.check_id)
    async with callers.live.database() as database:
        await RetentionRepository(database).erase(UUID(upload.check_id), datetime.now(UTC))
    assert await callers.found("bank", subject_reference=subject) == []
    assert await callers.found("bank", request_id=request_id) == []


async def test_each_page_is_in_the_audit_log_without_the_reference(callers: Finders) -> None:
    subject = f"customer-{uuid4()}"
    await callers.find("bank", subject_reference=subject)
    async with callers.live.database() as database:
        entries, _ = await AuditReader(database).page(
            "bank", chosen=AuditFilter(actions=("checks.listed",)), subjects=(), before=0, limit=1
        )
    assert (entries[0].action, entries[0].actor) == ("checks.listed", "bank")
    assert entries[0].details == {"by": "subject_reference", "checks": "0"}
    assert subject not in str(entries[0])


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        ({"request_id": "4711"}, "request_id"),
        ({"subject_reference": "x" * 257}, "subject_reference"),
        ({"subject_reference": "a\0b"}, "subject_reference"),
        ({"page_size": 101}, "page_size"),
        ({"state": 99}, "state"),
        ({"page_token": "!"}, "page_token"),
        ({"created_since": Timestamp(seconds=2**60)}, "created_since"),
    ],
)
async def test_what_cannot_be_searched_for_is_refused(
    callers: Finders, conditions: dict[str, object], field: str
) -> None:
    refusal = await refusal_of(callers.find("bank", **conditions))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.metadata["field"] == field


async def test_the_python_client_reads_every_page(callers: Finders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facegate_client.orchestrator._PAGE", 2)
    subject = f"customer-{uuid4()}"
    made = [(await callers.upload("bank", subject_reference=subject)).check_id for _ in range(3)]
    orchestrator = Orchestrator(channel=callers.live.service_channel, api_key=ApiKey(callers.keys["bank"]))
    since = datetime.now(UTC) - timedelta(minutes=1)
    found = [
        check.check_id
        async for check in orchestrator.find_checks(subject_reference=subject, created_since=since)
    ]
    assert found == made[::-1]
