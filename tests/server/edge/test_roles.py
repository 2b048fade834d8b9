"""Every method in every role on both listeners, over real gRPC; and docs/roles.md."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.message_factory import GetMessageClass

from docs.make_roles import PAGE, roles_page
from server.access.api_keys import new_api_key
from server.access.callers import SCOPES as OF_ROLE
from server.access.callers import Role, Scope
from server.audit import SERVER_TENANT, AuditEntry
from server.edge.listeners import DEVICE_METHODS, SCOPES, SERVICES
from server.storage.audit_reader import AuditReader
from server.storage.database import open_database
from tests.server.live import LiveServer, serving, settings_for
from tests.server.refusals import refused

_METHODS = {
    f"/{service.full_name}/{method.name}": method for service in SERVICES for method in service.methods
}
_CREDENTIALS = (*(role.value for role in Role), "none", "wrong")
_REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == roles_page(), "run: python -m docs.make_roles"


def test_every_method_is_of_one_listener_and_has_a_scope() -> None:
    assert set(_METHODS) == set(SCOPES) | DEVICE_METHODS
    assert not set(SCOPES) & DEVICE_METHODS


def test_every_scope_is_of_a_role() -> None:
    assert {scope for scopes in OF_ROLE.values() for scope in scopes} == set(Scope)


class _Scene:
    def __init__(self, live: LiveServer, keys: dict[str, str], database_url: str) -> None:
        self.live = live
        self.keys = keys
        self.database_url = database_url

    async def call(self, path: str, *, listener: str, credentials: str) -> str:
        """The reason with which an empty call of a method ends; ``"OK"`` if it succeeds."""
        method = _METHODS[path]
        target = self.live.server.service_target if listener == "service" else self.live.server.device_target
        metadata = ()
        if credentials != "none":
            metadata = (("authorization", f"Bearer {self.keys.get(credentials, 'fg1_wrong')}"),)  # type: ignore[assignment]
        request = GetMessageClass(method.input_type)()
        async with grpc.aio.insecure_channel(target) as channel:
            kind = "stream" if method.client_streaming else "unary"
            kind += "_stream" if method.server_streaming else "_unary"
            call: Any = getattr(channel, kind)(
                path,
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            given = iter([request]) if method.client_streaming else request
            answer = call(given, metadata=metadata, timeout=10)
            try:
                if method.server_streaming:
                    async for _ in answer:
                        pass
                else:
                    await answer
            except grpc.aio.AioRpcError as error:
                return refused(error).reason
        return "OK"

    async def entries(self, tenant: str, *, method: str | None = None) -> tuple[AuditEntry, ...]:
        database = open_database(self.database_url)
        entries = await AuditReader(database).entries(tenant)
        await database.close()
        return tuple(
            entry
            for entry in entries
            if entry.action == "access.refused" and method in {None, entry.details["method"]}
        )


@pytest_asyncio.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[_Scene]:
    folder = tmp_path_factory.mktemp("roles")
    keys = {role.value: new_api_key() for role in Role}
    file = folder / "keys.toml"
    file.touch(0o600)
    await asyncio.to_thread(
        file.write_text,
        "\n".join(
            f'[[key]]\nname = "{role}"\nsha256 = "{digest}"\ntenant = "{role}"\nroles = ["{role}"]'
            for role, (_, digest) in keys.items()
        ),
    )
    listeners = {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": file}, "admin": {"port": 0}}
    settings = settings_for(Path(folder), listeners=listeners)
    async with serving(settings) as live:
        yield _Scene(live, {role: key for role, (key, _) in keys.items()}, settings.database_url)


@pytest.mark.parametrize("credentials", _CREDENTIALS)
@pytest.mark.parametrize("path", sorted(SCOPES))
async def test_a_method_answers_the_roles_that_have_its_scope(
    scene: _Scene, path: str, credentials: str
) -> None:
    reason = await scene.call(path, listener="service", credentials=credentials)
    if credentials in {"none", "wrong"}:
        assert reason == "UNAUTHENTICATED"
    elif SCOPES[path] in OF_ROLE[Role(credentials)]:
        assert reason not in _REFUSED
    else:
        assert reason == "PERMISSION_DENIED"


@pytest.mark.parametrize("credentials", _CREDENTIALS)
async def test_every_method_is_refused_on_the_other_listener(scene: _Scene, credentials: str) -> None:
    for path in SCOPES:
        assert await scene.call(path, listener="device", credentials=credentials) == "WRONG_LISTENER"
    for path in DEVICE_METHODS:
        assert await scene.call(path, listener="service", credentials=credentials) == "WRONG_LISTENER"
        # No role opens a scan: that takes the token of a check.
        assert await scene.call(path, listener="device", credentials=credentials) not in {
            "OK",
            "WRONG_LISTENER",
            "PERMISSION_DENIED",
        }


async def test_refused_access_is_in_the_audit_log(scene: _Scene) -> None:
    path = next(path for path, scope in SCOPES.items() if scope is Scope.CREATE_CHECKS)
    for _ in range(5):
        await scene.call(path, listener="service", credentials="operator")
        await scene.call(path, listener="service", credentials="none")
    async with asyncio.timeout(30):
        while not (known := await scene.entries("operator", method=path)):  # noqa: ASYNC110 - polled
            await asyncio.sleep(0.1)
        while not (unknown := await scene.entries(SERVER_TENANT)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)
    # Repeats are counted for a minute, so each kind has one entry.
    (entry,) = known
    assert (entry.actor, entry.role, entry.address) == ("operator", "operator", "127.0.0.1")
    assert entry.details == {"method": path, "reason": "PERMISSION_DENIED", "count": "1"}
    assert {entry.actor for entry in unknown} == {"unknown"}
    assert {entry.details["reason"] for entry in unknown} == {"UNAUTHENTICATED"}
    assert len(unknown) <= 8
