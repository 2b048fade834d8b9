"""``facegate keys new-api-key``: makes API keys for callers."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import ValidationError

from server.api_keys import new_api_key
from server.callers import CallerEntry, Role, Scope

__all__ = ["new_api_key_command"]


def new_api_key_command(
    name: Annotated[str, typer.Argument(help="Caller's name, for logs.")],
    *,
    tenant: Annotated[str, typer.Option(help="Tenant of its checks.")] = "default",
    role: Annotated[
        list[Role] | None,
        typer.Option(
            metavar="ROLE",
            help="Role of the caller. May be repeated: orchestrator (the default), compliance_reader, "
            "compliance_admin or operator.",
        ),
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="Permission; may be repeated. By default all permissions of its roles."),
    ] = None,
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Validity in days. By default unlimited.")
    ] = None,
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox",
            help="Key for tests. Its checks tolerate emulators, virtual cameras, repeated frames and test "
            "roots, and each result states this.",
        ),
    ] = False,
) -> None:
    """Make an API key: print it once, with the entry for the file of `api_keys_file`.

    The file holds only a hash, so reading it gives no access. For example, for a backend, for a monitor that
    only reads, and for the tests of an app:

        facegate keys new-api-key onboarding-backend --expires-days 180

        facegate keys new-api-key status-board --scope checks.read

        facegate keys new-api-key app-tests --sandbox
    """
    try:
        entry = CallerEntry(
            name=name,
            tenant=tenant,
            roles=tuple(role or [Role.ORCHESTRATOR]),
            scopes=None if scope is None else tuple(scope),
            sandbox=sandbox,
        )
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}".removeprefix(": ")
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise typer.BadParameter("; ".join(problems)) from error
    key, digest = new_api_key()
    typer.echo(f"The key, shown only once: {key}", err=True)
    typer.echo("Add this to the API keys file; servers read it again within seconds:", err=True)
    lines = [
        "[[key]]",
        f'name = "{name}"',
        f'sha256 = "{digest}"',
        f'tenant = "{tenant}"',
        f"roles = {_texts(entry.roles)}",
    ]
    if entry.scopes is not None:
        lines.append(f"scopes = {_texts(entry.scopes)}")
    if expires_days is not None:
        lines.append(f"expires = {datetime.now(UTC) + timedelta(days=expires_days):%Y-%m-%dT%H:%M:%SZ}")
    if sandbox:
        lines.append("sandbox = true")
    typer.echo("\n".join(lines))


def _texts(values: Iterable[StrEnum]) -> str:
    return "[" + ", ".join(f'"{value.value}"' for value in values) + "]"
