from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from server.audit import SERVER_TENANT
from server.callers import SCOPES, Caller, Role
from server.edge.callers import address_of
from server.edge.refused_access import RefusedAccess
from server.errors import Reason

_METHOD = "/facegate.v1.VerificationService/FinishCheck"
_READER = Caller(
    name="anna",
    tenant="bank",
    roles=frozenset({Role.COMPLIANCE_READER}),
    scopes=SCOPES[Role.COMPLIANCE_READER],
)
_BACKEND = Caller(name="backend", tenant="bank")


class _Scene:
    def __init__(self) -> None:
        self.now = datetime(2027, 3, 1, tzinfo=UTC)
        self.refusals = RefusedAccess(lambda: self.now)

    def refuse(self, reason: Reason, caller: Caller | None = None, *, address: str = "192.0.2.7") -> None:
        self.refusals.note_refusal(_METHOD, reason, caller=caller, address=address)

    def due(self, minutes: float = 0.0) -> list[dict[str, str]]:
        self.now += timedelta(minutes=minutes)
        return [
            {"tenant": event.tenant, "actor": event.actor.name, **event.detail}
            for event in self.refusals.due(self.now)
        ]


def test_refused_credentials_and_scopes_are_noted() -> None:
    scene = _Scene()
    scene.refuse(Reason.UNAUTHENTICATED)
    scene.refuse(Reason.PERMISSION_DENIED, _BACKEND)
    unknown, backend = scene.due()
    same = {"method": _METHOD, "count": "1"}
    assert unknown == same | {"tenant": SERVER_TENANT, "actor": "unknown", "reason": "UNAUTHENTICATED"}
    assert backend == same | {"tenant": "bank", "actor": "backend", "reason": "PERMISSION_DENIED"}
    assert scene.due(2) == []


@pytest.mark.parametrize("reason", [Reason.CHECK_NOT_FOUND, Reason.INVALID_FIELD, Reason.OVERLOADED])
def test_every_refused_call_of_a_compliance_role_is_noted(reason: Reason) -> None:
    scene = _Scene()
    scene.refuse(reason, _BACKEND)
    scene.refuse(reason)
    assert scene.due() == []
    scene.refuse(reason, _READER)
    assert [found["reason"] for found in scene.due()] == [reason.value]


def test_a_flood_of_unknown_callers_is_bounded() -> None:
    scene = _Scene()
    written: list[dict[str, str]] = []
    for second in range(600):
        for number in range(50):
            scene.refuse(Reason.UNAUTHENTICATED, address=f"2001:db8::{second:x}:{number:x}")
        written += scene.due(1 / 60)
    assert len(written) <= 11 * 9
    written += scene.due(1)
    assert sum(int(found["count"]) for found in written) == 600 * 50


def test_a_flood_of_one_tenant_hides_nothing_of_another() -> None:
    scene = _Scene()
    for number in range(1000):
        scene.refuse(Reason.PERMISSION_DENIED, _BACKEND, address=f"192.0.2.{number}")
    assert len(scene.due()) == 32
    scene.refuse(Reason.PERMISSION_DENIED, Caller(name="other", tenant="other"))
    assert [(found["tenant"], found["actor"]) for found in scene.due()] == [("other", "other")]
    (rest,) = scene.due(1)
    assert rest == {
        "tenant": "bank", "actor": "several", "method": "several", "reason": "several", "count": "968",
    }  # fmt: skip


def test_a_flood_of_unknown_callers_hides_no_known_one() -> None:
    scene = _Scene()
    for number in range(1000):
        scene.refuse(Reason.UNAUTHENTICATED, address=f"192.0.2.{number}")
    scene.due()
    scene.refuse(Reason.PERMISSION_DENIED, _READER)
    assert [found["actor"] for found in scene.due()] == ["anna"]


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.7:4711", "192.0.2.7"),
        ("ipv6:%5B2001:db8::7%5D:4711", "2001:db8::7"),
        ("ipv6:[::1]:4711", "::1"),
        ("unix:/run/facegate", "unix"),
        ("unix:", "unix"),
        ("", ""),
        (f"ipv6:%5B{'f' * 90}%0A%5D:1", "f" * 64),
    ],
)
def test_the_address_of_a_connection(peer: str, address: str) -> None:
    context: Any = SimpleNamespace(peer=lambda: peer)
    assert address_of(context) == address
