"""``facegate keys new-api-key``: makes API keys for callers."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from cli.error_reporting import errors_reported
from server.access.api_keys import ApiKeysInvalid, add_api_key, new_api_key
from server.access.callers import CallerEntry, Role, Scope

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
    file: Annotated[
        Path | None,
        typer.Option(
            help="Add the entry to this file. A new file is readable by its owner alone. By default "
            "the entry is printed.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make an API key: print it once, with its entry for the API keys file.

    The file holds only a hash, so reading it gives no access. For example, for a backend, for a monitor that
    only reads, and for the tests of an app:

        facegate keys new-api-key backend --expires-days 180 --file api_keys.toml

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
    text = "\n".join(lines)
    if file is not None:
        # Before the key is shown: a key without an entry is of no use.
        with errors_reported(ApiKeysInvalid):
            add_api_key(file, text)
    typer.echo(f"The key, shown only once: {key}", err=True)
    if file is not None:
        typer.echo(f"Its entry is in {file}; servers read the file again within seconds.", err=True)
        return
    typer.echo(
        "Add this to the API keys file, which only the server's user may read; servers read it again within "
        "seconds:",
        err=True,
    )
    typer.echo(text)


def _texts(values: Iterable[StrEnum]) -> str:
    return "[" + ", ".join(f'"{value.value}"' for value in values) + "]"
