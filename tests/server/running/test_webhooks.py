"""Events on their way to a real receiver on loopback, and addresses that are refused."""

import asyncio
import base64
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
import trustme
from aiohttp import web
from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from server.base.errors import ConfigurationError
from server.base.table import is_public
from server.configuration.tables import WebhookEndpoint
from server.domain.events import BACK_OFF, EventKind, EventState, pause_after
from server.running import webhooks
from server.running.webhooks import (
    Endpoint,
    EventDelivery,
    new_webhook_secret,
    open_endpoints,
    read_webhook_secret,
)
from server.storage.database import Database, open_database
from server.storage.errors import StorageUnavailable
from server.storage.events import EventRepository, Outbox, StoredEvent
from server.storage.repository import CheckRepository
from server.telemetry.metrics import Metrics
from tests.ports import held_port
from tests.server.databases import make_tables
from tests.server.live import until
from tests.server.running.receiver import Receiver, receiving, secret_file, settings_of
from tests.server.storage.samples import after, decision, lease, new_check

_EVENT = StoredEvent(
    event_id=UUID(int=7, version=4),
    tenant="default",
    endpoint="hook",
    kind=EventKind.CHECK_DECIDED,
    check_id=uuid4(),
    sequence=1,
    sandbox=False,
    body='{"type":"check.decided","data":{"name":"\\u00e4"}}',
    create_time=datetime.now(UTC),
    state=EventState.WAITING,
    attempts=1,
    next_time=datetime.now(UTC),
    answer="",
    answer_time=None,
    end_time=None,
)


@asynccontextmanager
async def _endpoint(settings: dict[str, object]) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint("hook", WebhookEndpoint.model_validate(settings))
    try:
        yield endpoint
    finally:
        await endpoint.close()


async def _sent(receiver: Receiver, folder: Path, **changes: object) -> webhooks.Answer:
    async with _endpoint(settings_of(receiver, folder, **changes)) as endpoint:
        return await endpoint.send(_EVENT, datetime.now(UTC))


async def test_an_event_arrives_signed_as_standard_webhooks_describes(tmp_path: Path) -> None:
    async with receiving() as receiver:
        answer = await _sent(receiver, tmp_path)
    assert (answer.delivered, answer.words) == (True, "HTTP 204")
    (event,) = receiver.events
    assert event.body.decode() == _EVENT.body
    assert event.webhook_id == "evt_00000000000040008000000000000007"
    assert event.headers["content-type"] == "application/json"
    assert event.headers["user-agent"].startswith("Facegate/")


async def test_while_the_secret_changes_both_sign(tmp_path: Path) -> None:
    old, new = new_webhook_secret(), new_webhook_secret()
    files = [str(secret_file(tmp_path, secret, f"{n}.whsec")) for n, secret in enumerate((old, new))]
    async with receiving() as receiver:
        receiver.secret = new
        assert (await _sent(receiver, tmp_path, secret_files=files)).delivered
    (event,) = receiver.events
    for secret in (old, new):
        Webhook(secret).verify(event.body, event.headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_webhook_secret()).verify(event.body, event.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(event.body + b" ", event.headers)
    late = event.headers | {"webhook-timestamp": str(int(event.headers["webhook-timestamp"]) - 301)}
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(event.body, late)


async def test_a_changed_secret_is_read_again_and_an_unusable_one_leaves_the_old_in_force(
    tmp_path: Path,
) -> None:
    async with receiving() as receiver:
        settings = settings_of(receiver, tmp_path)
        async with _endpoint(settings) as endpoint:
            file = secret_file(tmp_path, "nonsense")
            endpoint.refresh()
            assert (await endpoint.send(_EVENT, datetime.now(UTC))).delivered
            receiver.secret = new_webhook_secret()
            secret_file(tmp_path, receiver.secret)
            os.utime(file, ns=(1, 1))
            endpoint.refresh()
            assert (await endpoint.send(_EVENT, datetime.now(UTC))).delivered


async def test_a_receiver_is_reached_without_an_event(tmp_path: Path) -> None:
    with held_port() as port:
        async with (
            receiving(port=port) as receiver,
            _endpoint(settings_of(receiver, tmp_path)) as endpoint,
        ):
            assert await endpoint.reach() is None
        assert receiver.requests == 0
        async with _endpoint(settings_of(receiver, tmp_path)) as endpoint:
            assert await endpoint.reach() == "the connection failed: Connection refused"


async def test_https_verifies_the_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    async with receiving(tls=tls) as receiver:
        refused = await _sent(receiver, tmp_path)
        assert (refused.delivered, "certificate is not accepted" in refused.words) == (False, True)
        assert receiver.requests == 0
        assert (await _sent(receiver, tmp_path, ca=str(ca))).delivered
        other = await _sent(receiver, tmp_path, ca=str(ca), url=f"https://127.0.0.1:{receiver.port}/hook")
        assert "certificate is not accepted" in other.words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (307, "redirects are not followed"),
        (410, "wants no further events"),
        (503, "HTTP 503"),
    ],
)
async def test_other_answers_than_2xx_are_failures(tmp_path: Path, status: int, words: str) -> None:
    async with receiving() as receiver, receiving() as elsewhere:

        async def answer(_: web.Request) -> web.Response:
            return web.Response(status=status, headers={"location": elsewhere.url}, text="<b>words</b>")

        receiver.answer = answer
        answered = await _sent(receiver, tmp_path)
    assert (answered.delivered, answered.gone) == (False, status == 410)
    assert words in answered.words
    assert "<b>" not in answered.words
    assert elsewhere.requests == 0


async def test_an_answer_without_end_is_cut_off(tmp_path: Path) -> None:
    sent = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        for _ in range(400):
            await response.write(bytes(64 * 1024))
            sent += 64
        return response

    async with receiving() as receiver:
        receiver.answer = answer
        assert (await _sent(receiver, tmp_path)).delivered
        await asyncio.sleep(0.1)
    assert sent < 400 * 64


async def test_a_slow_receiver_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        for _ in range(100):
            await response.write(b".")
            await asyncio.sleep(0.05)
        return response

    monkeypatch.setattr(webhooks, "_SECONDS", 0.3)
    async with receiving() as receiver:
        receiver.answer = answer
        answered = await _sent(receiver, tmp_path)
    assert (answered.delivered, answered.words) == (False, "no answer within 0.3 seconds")


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000]
)
async def test_what_is_not_http_is_a_failure_in_words(tmp_path: Path, answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readline()
            writer.write(answer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        receiver = Receiver(port=server.sockets[0].getsockname()[1])
        answered = await _sent(receiver, tmp_path)
    assert not answered.delivered
    assert len(answered.words) < 120


async def test_a_refused_connection_and_an_unknown_name_are_named(tmp_path: Path) -> None:
    with held_port() as port:
        receiver = Receiver(port=port)
        assert (await _sent(receiver, tmp_path)).words == "the connection failed: Connection refused"
    answered = await _sent(receiver, tmp_path, url="https://nobody.invalid/hook")
    assert answered.words == "the name of its host cannot be resolved"


async def test_a_name_that_leads_to_this_machine_is_refused(tmp_path: Path) -> None:
    """The real name of this machine: only its resolution tells that its address is private."""
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        pytest.skip("this machine does not know its own name")
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    async with receiving(tls=tls, host=address) as receiver:
        url = f"https://{name}:{receiver.port}/hook"
        answered = await _sent(receiver, tmp_path, url=url, allow_private=False)
        allowed = await _sent(receiver, tmp_path, url=url)
    assert answered.words == f"its address {address} is not public, and allow_private is not set"
    # This one reached the receiver.
    assert "certificate is not accepted" in allowed.words


async def test_every_address_of_a_name_is_tested_at_the_one_resolution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere at its second resolution gains nothing: there is none."""
    asked: list[str] = []

    def resolve(host: str | bytes | None, *_: Any, **__: Any) -> list[Any]:
        asked.append(str(host))
        places = [("10.0.0.1", 443), ("169.254.169.254", 443), ("127.0.0.1", 443)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    receiver = Receiver(port=443)
    answered = await _sent(receiver, tmp_path, url="https://rebinds.bank.example/hook", allow_private=False)
    assert "is not public" in answered.words
    assert asked == ["rebinds.bank.example"]


async def test_plain_http_never_leaves_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    answered = await _sent(Receiver(port=80), tmp_path)
    assert "is not on this machine" in answered.words


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1", "192.88.99.1",
        "168.63.129.16",
        "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1",
        "100::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2001:4860:4860::8888"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ip_address(address))


_FILES: dict[str, object] = {"tenant": "default", "secret_files": ["a.whsec"]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "http://bank.example/hook", "allow_private": True}, "write https://"),
        ({"url": "http://127.0.0.1/hook"}, "write https://"),
        ({"url": "https://localhost/hook"}, "is no public address"),
        ({"url": "https://10.1.2.3/hook"}, "is no public address"),
        # Every spelling of 127.0.0.1.
        ({"url": "https://2130706433/hook"}, "is no public address"),
        ({"url": "https://0x7f.1/hook"}, "is no public address"),
        ({"url": "https://[::ffff:7f00:1]/hook"}, "is no public address"),
        ({"url": "https://[fe80::1]/hook"}, "is no public address"),
        ({"url": "https://me:word@bank.example/hook"}, "leave out the user"),
        ({"url": "https://bank.example/hook#part"}, "leave out the part"),
        ({"url": "ftp://bank.example/hook"}, "http"),
        ({"secret_files": ["a", "a"]}, "listed twice"),
        ({"events": []}, "at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_words(changes: dict[str, object], words: str) -> None:
    values = _FILES | {"url": "https://bank.example/hook"} | changes
    with pytest.raises(ValidationError) as refused:
        WebhookEndpoint.model_validate(values)
    assert words in str(refused.value)


_BAD_SECRETS = [
    ("", 0o600),
    ("whsec_", 0o600),
    ("whsec_c2hvcnQ=", 0o600),
    (base64.b64encode(bytes(32)).decode(), 0o600),
    ("whsec_" + base64.b64encode(bytes(65)).decode(), 0o600),
    ("whsec_%%%", 0o600),
    ("whsec_" + base64.b64encode(bytes(range(32))).decode(), 0o644),
]


@pytest.mark.parametrize(("secret", "mode"), _BAD_SECRETS)
def test_a_file_that_is_no_secret_is_refused_without_showing_it(
    tmp_path: Path, secret: str, mode: int
) -> None:
    file = secret_file(tmp_path, secret)
    file.chmod(mode)
    with pytest.raises(ConfigurationError) as refused:
        read_webhook_secret(file)
    assert str(file) in str(refused.value)
    assert not secret.removeprefix("whsec_") or secret.removeprefix("whsec_") not in str(refused.value)


def test_a_missing_file_names_the_setting(tmp_path: Path) -> None:
    values = _FILES | {"url": "https://bank.example/hook", "secret_files": [str(tmp_path / "none")]}
    with pytest.raises(
        ConfigurationError, match=r"webhooks\.endpoints\.hook\.secret_files: .*none: cannot be"
    ):
        Endpoint("hook", WebhookEndpoint.model_validate(values))


def test_pauses_take_three_days() -> None:
    assert timedelta(days=3) < sum(BACK_OFF, timedelta()) < timedelta(days=3, hours=12)
    assert [pause_after(n) for n in (1, 9, 10)] == [BACK_OFF[0], BACK_OFF[-1], None]


# The delivery of an outbox to a real receiver: order, retries and dead events.


class _Scene:
    """A receiver, an outbox, and a clock that a test sets."""

    def __init__(self, database: Database, receiver: Receiver, folder: Path) -> None:
        endpoint = WebhookEndpoint.model_validate(settings_of(receiver, folder))
        self.settings = {"hook": endpoint}
        self.receiver = receiver
        self.now = after(100)
        self.registry = CollectorRegistry()
        self.events = EventRepository(database)
        self.checks = CheckRepository(database, Outbox(self.settings))
        self.endpoint, *_ = open_endpoints(self.settings)
        self.delivery = EventDelivery(
            repository=self.events,
            endpoints=(self.endpoint,),
            metrics=Metrics(self.registry),
            now=lambda: self.now,
            seconds=0.01,
        )

    async def decided(self) -> str:
        check = await self.checks.create(new_check(), None)
        await lease(self.checks, check)
        await self.checks.decide(check.check_id, epoch=1, decision=decision())
        return str(check.check_id)

    async def delivered(self) -> None:
        """Deliver until nothing is due."""
        # The library refuses times that differ by more than five minutes from its clock.
        self.receiver.verifies = False
        while await self.delivery.deliver(self.endpoint):
            pass

    async def listed(self) -> tuple[StoredEvent, ...]:
        found = await self.events.list(
            "default", sandbox_only=False, endpoint="", state=None, check_id=None, after=None, limit=100
        )
        return tuple(sorted(found, key=lambda event: event.sequence))

    async def states(self) -> list[EventState]:
        return [event.state for event in await self.listed()]

    def counted(self, name: str) -> float | None:
        return self.registry.get_sample_value(name, {"endpoint": "hook"})


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[_Scene]:
    url = f"sqlite:///{tmp_path / 'checks.db'}"
    await make_tables(url)
    database = open_database(url)
    async with receiving() as receiver:
        made = _Scene(database, receiver, tmp_path)
        yield made
        await made.endpoint.close()
    await database.close()


def _answering(receiver: Receiver, *statuses: int) -> None:
    """Answer with these statuses, and then with the last one."""
    left = list(statuses)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=left.pop(0) if len(left) > 1 else left[0])

    receiver.answer = answer


async def test_events_arrive_in_the_order_of_each_check(scene: _Scene) -> None:
    ids = [await scene.decided() for _ in range(10)]
    await scene.delivered()
    for check_id in ids:
        mine = [event.type for event in scene.receiver.events if event.data["check_id"] == check_id]
        assert mine == ["check.scan_started", "check.decided"]
    assert scene.counted("facegate_events_delivered_total") == 20
    assert await scene.delivery.deliver(scene.endpoint) == 0


async def test_a_failed_event_is_tried_again_with_the_same_identifier(scene: _Scene) -> None:
    _answering(scene.receiver, 500, 204)
    await scene.decided()
    await scene.delivered()
    (first, second) = await scene.listed()
    assert (first.state, first.attempts, first.answer) == (EventState.WAITING, 1, "HTTP 500")
    assert BACK_OFF[0] <= first.next_time - scene.now <= BACK_OFF[0] * 1.1
    assert second.attempts == 0
    scene.now += timedelta(seconds=6)
    await scene.delivered()
    assert await scene.states() == [EventState.DELIVERED] * 2
    assert scene.receiver.requests == 3
    assert scene.counted("facegate_event_attempts_failed_total") == 1


async def test_after_three_days_an_event_is_dead_and_a_replay_brings_it_back(scene: _Scene) -> None:
    _answering(scene.receiver, 503)
    await scene.decided()
    began = scene.now
    for number in range(len(BACK_OFF) + 1):
        await scene.delivered()
        # The second one had its first attempt when the first one died.
        assert scene.receiver.requests == number + 1 + (number == len(BACK_OFF))
        if number < len(BACK_OFF):
            scene.now = (await scene.listed())[0].next_time
    assert timedelta(days=3) < scene.now - began < timedelta(days=4)
    assert await scene.states() == [EventState.DEAD, EventState.WAITING]
    assert scene.counted("facegate_events_dead_total") == 1


async def test_410_gives_up_all_that_waits(scene: _Scene) -> None:
    _answering(scene.receiver, 410)
    for _ in range(3):
        await scene.decided()
    await scene.delivered()
    assert set(await scene.states()) == {EventState.DEAD}
    assert scene.receiver.requests == 3
    assert scene.counted("facegate_events_dead_total") == 6


async def test_what_a_410_gave_up_is_counted_once(scene: _Scene) -> None:
    """Also the events whose own 410 comes after another one gave them up."""
    first = True

    async def given_up() -> bool:
        return EventState.WAITING not in await scene.states()

    async def answer(_: web.Request) -> web.Response:
        nonlocal first
        if first:
            first = False
        else:
            await until(given_up)
        return web.Response(status=410)

    scene.receiver.answer = answer
    for _ in range(3):
        await scene.decided()
    await scene.delivered()
    assert scene.counted("facegate_events_dead_total") == 6


async def test_a_slow_receiver_gets_few_requests_at_once(scene: _Scene) -> None:
    running, most = 0, 0
    eight = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 8:
            # Time for a ninth, which may not come.
            await asyncio.sleep(0.02)
            eight.set()
        await eight.wait()
        running -= 1
        return web.Response(status=200)

    scene.receiver.answer = answer
    for _ in range(12):
        await scene.decided()
    await scene.delivered()
    assert most == 8


async def test_the_tasks_go_on_when_the_database_was_away(
    scene: _Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [StorageUnavailable("away"), ValueError("a defect")]
    is_due = scene.events.is_due

    async def failing(*arguments: object) -> bool:
        if fails:
            raise fails.pop()
        return await is_due(*arguments)  # type: ignore[arg-type]  # those of the method

    monkeypatch.setattr(scene.events, "is_due", failing)
    await scene.decided()
    scene.receiver.verifies = False
    scene.delivery.start()
    await scene.receiver.until(2)
    await scene.delivery.stop()
    assert not fails
