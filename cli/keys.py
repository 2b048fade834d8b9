"""``facegate keys``: makes API keys for callers, and manages the server's keys."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.progress import TaskID

from cli.audited import ReasonOption, server_settings
from cli.errors import FAILED, PENDING, errors_reported
from cli.files import write_file
from cli.shown import counted, counting
from server.access.api_keys import ApiKeysInvalid, add_api_key, new_api_key
from server.access.callers import CallerEntry, Role, Scope
from server.operating import keys
from server.running.webhooks import new_webhook_secret
from server.storage.approvals import PendingApproval


def new_api_key_command(
    name: Annotated[str, typer.Argument(help="Caller's name, for logs.")],
    *,
    tenant: Annotated[str, typer.Option(help="Tenant of its checks.")] = "default",
    role: Annotated[
        list[Role] | None,
        typer.Option(
            metavar="ROLE",
            help="Role of the caller. May be repeated: orchestrator (the default), compliance_reader, "
            "compliance_admin, operator or reviewer.",
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
            help="Key for tests, of orchestrators and reviewers. Its checks tolerate emulators, virtual "
            "cameras, repeated frames and test roots, and each result states this.",
        ),
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Add the entry to this file, which must have none of this name. A new file is readable by "
            "its owner alone. By default the entry is printed.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the key to this new file for the caller, readable by its owner alone. By default "
            "it is printed.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make an API key for a caller, with its entry for the API keys file.

    The server's file holds only a hash, so reading it gives no access. For example, for a backend, for
    the backend's next key beside the old one, for a monitor that only reads, and for the tests of an app:

        facegate keys new-api-key backend --expires-days 180 --file api_keys.toml --out api-key.txt

        facegate keys new-api-key backend --expires-days 180 --out next-key.txt >> api_keys.toml

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
    # The entry comes before the key is shown: a key without one is of no use.
    with errors_reported(ApiKeysInvalid):
        if out is not None:
            write_file(out, f"{key}\n".encode("ascii"))
        if file is not None:
            try:
                add_api_key(file, text)
            except ApiKeysInvalid:
                if out is not None:
                    out.unlink()
                raise
    typer.echo(f"The key, shown only once: {key}" if out is None else f"The key is in {out}.", err=True)
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


def new_webhook_secret_command(
    out: Annotated[
        Path, typer.Argument(help="New file for the secret, readable by its owner alone.", show_default=False)
    ],
) -> None:
    """Make a secret that signs events, for `secret_files` of an endpoint of webhooks and for its receiver.

    The receiver needs the same secret. To change it, name the old and the new file in `secret_files`, give
    the receiver the new one, and remove the old one. For example:

        facegate keys new-webhook-secret /etc/facegate/backend.whsec
    """
    with errors_reported():
        write_file(out, f"{new_webhook_secret()}\n".encode("ascii"))
    typer.echo(f"The secret is in {out}. Give the receiver the same.", err=True)


def rewrap_command() -> None:
    """Wrap all data keys under the newest evidence key, of the server or of their tenant.

    Only rows of the database change, never an object; servers may run. You can repeat it after
    an interruption: it skips keys that are wrapped already. The audit log records it. For example, after
    `facegate keys rotate evidence` and `facegate keys retire 1 --purpose evidence`:

        facegate keys rewrap --config /etc/facegate.toml
    """
    with server_settings() as settings, counting() as progress:
        tasks: dict[str, TaskID] = {}

        def show(place: str, done: int, total: int) -> None:
            if place not in tasks:
                tasks[place] = progress.add_task(place, total=total)
            progress.update(tasks[place], completed=done)

        changed, lost = asyncio.run(keys.rewrap(settings, show))
    typer.echo(f"Rewrapped {counted(changed, 'data key')}.")
    if lost:
        typer.echo(
            "Could not open "
            + ", ".join(f"{number:,} of {place}" for place, number in lost.items())
            + ": their wrapping key is not in the key folder, or they were altered.",
            err=True,
        )
        raise typer.Exit(FAILED)


app = typer.Typer(help="Make and manage keys.", no_args_is_help=True)
app.command("new-api-key")(new_api_key_command)
app.command("new-webhook-secret")(new_webhook_secret_command)
app.command("rewrap")(rewrap_command)

TenantOption = Annotated[
    str, typer.Option("--tenant", help="Tenant with evidence keys of its own, as keys.tenants names it.")
]
NumberArgument = Annotated[int, typer.Argument(min=1, help="Number of the key: 2 for evidence-0002.key.")]


class Purpose(StrEnum):
    """The purpose of a key of the server."""

    TOKEN = "token"  # noqa: S105 - a purpose, not a secret
    CHALLENGE = "challenge"
    RESULT = "result"
    EVIDENCE = "evidence"
    AUDIT = "audit"


class RetiredPurpose(StrEnum):
    """The purpose of a key that can be retired."""

    RESULT = "result"
    AUDIT = "audit"
    EVIDENCE = "evidence"


@app.command()
def rotate(
    purpose: Annotated[Purpose, typer.Argument(help="Purpose of the key.")],
    tenant: TenantOption = "",
) -> None:
    """Add the next key of a purpose.

    Running servers read it within seconds, and use it from their next start; an evidence key also once the
    older one is retired. Older keys stay in the folder: they verify tokens, open evidence, and sign the
    challenges of checks that began with them. The audit log records the rotation. For example:

        facegate keys rotate evidence --config /etc/facegate.toml
    """
    with server_settings() as settings:
        made = asyncio.run(keys.rotate(settings, purpose.value, tenant=tenant))
    retired = ", or once the older one is retired" if purpose is Purpose.EVIDENCE else ""
    typer.echo(
        f"Made {made}. Running servers read it within seconds (`keys_read` in their log), and use it from "
        f"their next start{retired}."
    )


@app.command()
def retire(
    number: NumberArgument,
    purpose: Annotated[RetiredPurpose, typer.Option(help="Purpose of the key.")] = RetiredPurpose.RESULT,
    tenant: TenantOption = "",
    reason: ReasonOption = "",
) -> None:
    """Stop the use of an older key for anything new.

    Of a result or audit key, only the public half is kept, with the times of its use. Servers publish it in
    their JWKS, so that what it signed can be verified; keep the file as long. An evidence key only opens what
    is sealed under it; `facegate keys rewrap` and `destroy` are the next steps. The audit log records the
    retirement. For example, after `facegate keys rotate`:

        facegate keys retire 1 --config /etc/facegate.toml

        facegate keys retire 1 --purpose evidence
    """
    with server_settings() as settings:
        kept = asyncio.run(keys.retire(settings, purpose.value, number, tenant=tenant, reason=reason))
    if purpose is RetiredPurpose.EVIDENCE:
        typer.echo(f"Evidence key {number} only opens from now on; it is {kept}.")
    else:
        typer.echo(f"Key {number} is removed; its public key is {kept}.")


@app.command()
def encrypt() -> None:
    """Encrypt the key files under the first key of keys.encryption.

    Files that are encrypted under another listed key are encrypted again. The servers need no restart. May be
    repeated after an interruption. For example, after an entry with kind = "aws-kms" was added:

        facegate keys encrypt --config /etc/facegate.toml
    """
    with server_settings() as settings:
        changed = asyncio.run(keys.encrypt(settings))
    for path in changed:
        typer.echo(f"{path}")
    typer.echo(f"Encrypted {counted(len(changed), 'key file')}; all are encrypted now.")


@app.command()
def destroy(
    number: Annotated[
        int | None, typer.Argument(min=1, help="Number of a retired evidence key; none for --tenant alone.")
    ] = None,
    tenant: TenantOption = "",
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before a tenant's keys are destroyed.")
    ] = False,
    reason: ReasonOption = "",
) -> None:
    """Delete a retired evidence key that wraps nothing any more, or all keys of a tenant.

    To destroy the keys of a tenant erases everything that is sealed under them, in all backups, too, unless
    they contain the key folder. For example:

        facegate keys destroy 1

        facegate keys destroy --tenant branch-12
    """
    if number is None and not tenant:
        raise typer.BadParameter("name the number of a retired key, or a tenant with --tenant")
    with server_settings() as settings:
        if number is None and not yes:
            typer.confirm(
                f"All evidence of {tenant} becomes unreadable, for ever. Destroy its keys?", abort=True
            )
        gone = asyncio.run(keys.destroy(settings, number, tenant=tenant, reason=reason))
    if isinstance(gone, PendingApproval):
        typer.echo(
            f"Requested; nothing is destroyed yet. Another user has to run the same command by "
            f"{gone.expire_time:%Y-%m-%d %H:%M} UTC."
        )
        raise typer.Exit(PENDING)
    for path in gone:
        typer.echo(f"{path} is destroyed.")
