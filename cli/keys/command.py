"""The commands of ``facegate keys``."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from cli.audited import ReasonOption
from cli.error_reporting import PENDING, errors_reported
from cli.errors import CommandError
from cli.help import brief
from cli.keys.api_key_command import new_api_key_command
from cli.keys.audited import pending_approval, record_change
from cli.keys.rewrap_command import rewrap_command
from cli.options import ConfigOption
from server.audit import AuditAction, AuditEventInvalid
from server.base.errors import ConfigurationError
from server.configuration.loading import SettingsInvalid, load_settings
from server.configuration.settings import Settings
from server.keyring.key_files import KeyFiles, open_key_files
from server.keyring.key_rotation import (
    destroy_evidence_key,
    destroy_tenant_keys,
    encrypt_key_files,
    retire_evidence_key,
    retire_signing_key,
    rotate_key,
)
from server.storage.errors import StorageError
from server.storage.holds import expect_no_hold_of
from server.storage.wrapped_keys import keys_in_use

__all__ = ["app"]

app = typer.Typer(help="Make API keys, and manage the server's keys.", no_args_is_help=True)
app.command("new-api-key", cls=brief("--tenant", "--role", "--expires-days", "--sandbox", "--file"))(
    new_api_key_command
)
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


@contextmanager
def _keys(config: Path | None) -> Iterator[tuple[Settings, KeyFiles]]:
    with errors_reported(SettingsInvalid, ConfigurationError, StorageError, AuditEventInvalid):
        settings = load_settings(config).settings
        yield settings, open_key_files(settings.key_folder, settings.keys)


@app.command()
def rotate(
    purpose: Annotated[Purpose, typer.Argument(help="Purpose of the key.")],
    tenant: TenantOption = "",
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Add the next key of a purpose. Servers use it from their next start.

    Older keys stay in the folder: they verify tokens, open evidence, and sign the challenges of checks that
    began with them. The audit log records the rotation. For example:

        facegate keys rotate evidence --config /etc/facegate.toml
    """
    with _keys(config) as (settings, files):
        made = record_change(
            settings.database_url,
            AuditAction.KEY_ROTATED,
            lambda _: rotate_key(files, purpose.value, tenant=tenant),
            reason=reason,
            purpose=purpose.value,
            tenant=tenant,
        )
    typer.echo(f"Made {made}. Restart the servers to use it.")


@app.command(cls=brief("--purpose"))
def retire(
    number: NumberArgument,
    purpose: Annotated[RetiredPurpose, typer.Option(help="Purpose of the key.")] = RetiredPurpose.RESULT,
    tenant: TenantOption = "",
    reason: ReasonOption = "",
    config: ConfigOption = None,
) -> None:
    """Stop the use of an older key for anything new.

    Of a result or audit key, only the public half is kept, with the times of its use. Servers publish it in
    their JWKS, so that what it signed can be verified; keep the file as long. An evidence key only opens what
    is sealed under it; `facegate keys rewrap` and `destroy` are the next steps. The audit log records the
    retirement. For example, after `facegate keys rotate`:

        facegate keys retire 1 --config /etc/facegate.toml

        facegate keys retire 1 --purpose evidence
    """
    with _keys(config) as (settings, files):

        def change(_connection: Connection) -> Path:
            if purpose is RetiredPurpose.EVIDENCE:
                return retire_evidence_key(files, number, tenant=tenant)
            return retire_signing_key(files, purpose.value, number, now=datetime.now(UTC))

        kept = record_change(
            settings.database_url,
            AuditAction.KEY_RETIRED,
            change,
            reason=reason,
            purpose=purpose.value,
            number=str(number),
            tenant=tenant,
        )
    if purpose is RetiredPurpose.EVIDENCE:
        typer.echo(f"Evidence key {number} only opens from now on; it is {kept}.")
    else:
        typer.echo(f"Key {number} is removed; its public key is {kept}.")


@app.command()
def encrypt(reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """Encrypt the key files under the first key of keys.encryption.

    Files that are encrypted under another listed key are encrypted again. The servers need no restart. May be
    repeated after an interruption. For example, after an entry with kind = "aws-kms" was added:

        facegate keys encrypt --config /etc/facegate.toml
    """
    with _keys(config) as (settings, files):
        if not settings.keys.encryption:
            raise CommandError(
                "keys.encryption in the settings has no entry; name a key-encryption key there"
            )
        changed = record_change(
            settings.database_url,
            AuditAction.KEYS_ENCRYPTED,
            lambda _: encrypt_key_files(files),
            reason=reason,
            encryption=settings.keys.encryption[0].kind,
        )
    for path in changed:
        typer.echo(f"{path}")
    typer.echo(f"Encrypted {len(changed)} key files; all are encrypted now.")


@app.command(cls=brief("--tenant", "--yes"))
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
    config: ConfigOption = None,
) -> None:
    """Delete a retired evidence key that wraps nothing any more, or all keys of a tenant.

    To destroy the keys of a tenant erases everything that is sealed under them, in all backups, too, unless
    they contain the key folder. For example:

        facegate keys destroy 1

        facegate keys destroy --tenant branch-12
    """
    if number is None and not tenant:
        raise typer.BadParameter("name the number of a retired key, or a tenant with --tenant")
    with _keys(config) as (settings, files):
        if number is None and not yes:
            typer.confirm(
                f"All evidence of {tenant} becomes unreadable, for ever. Destroy its keys?", abort=True
            )

        what = {"number": "all" if number is None else str(number), "tenant": tenant}
        pending = pending_approval(settings, reason=reason, **what)
        if pending is not None:
            typer.echo(
                f"Requested; nothing is destroyed yet. Another user has to run the same command by "
                f"{pending.expire_time:%Y-%m-%d %H:%M} UTC."
            )
            raise typer.Exit(PENDING)

        def change(connection: Connection) -> tuple[Path, ...]:
            if number is None:
                expect_no_hold_of(connection, tenant)
                return destroy_tenant_keys(files, tenant)
            used = keys_in_use(connection)
            now = datetime.now(UTC)
            return (destroy_evidence_key(files, number, in_use=used, tenant=tenant, now=now),)

        gone = record_change(
            settings.database_url,
            AuditAction.KEY_DESTROYED,
            change,
            reason=reason,
            announced=AuditAction.KEY_DESTRUCTION_BEGUN,
            **what,
        )
    for path in gone:
        typer.echo(f"{path} is destroyed.")
