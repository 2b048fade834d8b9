"""Webhooks are read if the server signed them, and refused otherwise."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from queue import Queue
from typing import Any

import pytest
from standardwebhooks import Webhook

from facegate_client import CredentialsError, ServerNotTrustedError, verify_webhook
from tests.docs.pages import REPOSITORY, code_blocks

_SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
_OTHER = "whsec_" + base64.b64encode(bytes(31) + b"1").decode()
_EVENT = {
    "type": "check.decided",
    "timestamp": "2026-11-29T12:00:00.250000Z",
    "data": {
        "check_id": "4711",
        "tenant": "retail",
        "status": "SUCCESS",
        "sandbox": True,
        "policy": "high",
        "sequence": 2,
    },
}
_BODY = json.dumps(_EVENT)


def _headers(body: str = _BODY, *, secret: str = _SECRET, ago: timedelta = timedelta()) -> dict[str, str]:
    time = datetime.now(UTC) - ago
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(time.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", time, body),
    }


@pytest.mark.parametrize("body", [_BODY, _BODY.encode()])
def test_an_event_is_read(body: bytes | str) -> None:
    event = verify_webhook(body, _headers(), _SECRET + "\n")
    assert (event.event_id, event.kind, event.check_id, event.tenant) == (
        "msg_1",
        "check.decided",
        "4711",
        "retail",
    )
    assert (event.status, event.sandbox, event.sequence) == ("SUCCESS", True, 2)
    assert event.time == datetime(2026, 11, 29, 12, 0, 0, 250_000, UTC)


def test_an_event_without_a_status_is_read() -> None:
    body = json.dumps(_EVENT | {"data": {"check_id": "1", "tenant": "t", "sandbox": False}})
    assert verify_webhook(body, _headers(body), _SECRET).status == ""


def test_an_event_of_a_person_names_no_check() -> None:
    body = json.dumps(_EVENT | {"type": "subject.erased", "data": {"tenant": "t", "checks": 2}})
    event = verify_webhook(body, _headers(body), _SECRET)
    assert (event.check_id, event.sequence, event.data["checks"]) == ("", 0, 2)


def test_while_secrets_are_rotated_either_one_is_enough() -> None:
    first, second = _headers(secret=_OTHER), _headers()
    both = second | {"Webhook-Signature": f"{first['Webhook-Signature']} {second['Webhook-Signature']}"}
    assert verify_webhook(_BODY, both, _SECRET).check_id == "4711"


def _without(name: str) -> dict[str, str]:
    return {key: value for key, value in _headers().items() if key != name}


# Each is made when its test runs: a signature is good for five minutes.
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(_BODY + " ", _headers, id="another body"),
        pytest.param(b"\xff", _headers, id="no text"),
        pytest.param(_BODY, lambda: _headers() | {"Webhook-Id": "msg_2"}, id="another id"),
        pytest.param(_BODY, lambda: _headers(secret=_OTHER), id="another secret"),
        pytest.param(_BODY, lambda: _headers(ago=timedelta(minutes=6)), id="old"),
        pytest.param(_BODY, lambda: _headers(ago=timedelta(minutes=-6)), id="of the future"),
        pytest.param(_BODY, lambda: _headers() | {"Webhook-Timestamp": "1e999"}, id="no time"),
        pytest.param(_BODY, lambda: _without("Webhook-Signature"), id="no signature"),
        pytest.param(_BODY, lambda: _headers() | {"Webhook-Signature": "v1"}, id="half a signature"),
        pytest.param(_BODY, lambda: _headers() | {"Webhook-Signature": "v1,!"}, id="no base64"),
        pytest.param(_BODY, dict, id="no headers"),
        pytest.param("text", lambda: _headers("text"), id="no JSON"),
        pytest.param("[]", lambda: _headers("[]"), id="no event"),
        *(
            pytest.param(body, lambda body=body: _headers(body), id=name)
            for name, body in {
                "null": "null",
                "no type": json.dumps(_EVENT | {"type": None}),
                "no time": json.dumps(_EVENT | {"timestamp": "now"}),
                "no content": json.dumps({"type": "check.decided", "timestamp": _EVENT["timestamp"]}),
                "no tenant": json.dumps(_EVENT | {"data": {}}),
                "a list": json.dumps(_EVENT | {"data": []}),
                "no identifier": json.dumps(_EVENT | {"data": {"tenant": "retail", "check_id": 7}}),
            }.items()
        ),
    ],
)
def test_another_is_refused(body: bytes | str, headers: Callable[[], dict[str, str]]) -> None:
    with pytest.raises(ServerNotTrustedError, match=r"^the webhook is not the server's: "):
        verify_webhook(body, headers(), _SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_a", "whsec_YQ==", _SECRET.removeprefix("whsec_")])
def test_a_secret_that_is_none_is_named(secret: str) -> None:
    with pytest.raises(CredentialsError, match="whsec_"):
        verify_webhook(_BODY, _headers(), secret)


def test_the_receiver_of_the_page_keeps_what_is_signed() -> None:
    page = REPOSITORY / "docs" / "webhooks.md"
    (program,) = [block for block in code_blocks(page) if block.language == "python"]
    kept: Queue[object] = Queue()
    names: dict[str, Any] = {"SECRET": _SECRET, "queue": kept}
    exec(program.text, names)  # noqa: S102 - our own page
    assert names["receive"](_BODY.encode(), _headers()) == 204
    assert kept.qsize() == 1
    with pytest.raises(ServerNotTrustedError):
        names["receive"](_BODY.encode(), _headers(secret=_OTHER))
    assert kept.qsize() == 1
