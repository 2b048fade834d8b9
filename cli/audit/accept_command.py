"""``facegate audit accept``: lets servers sign again after a backup was restored, or a log was changed."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.audit.options import log_errors, own_audit_keys
from cli.audited import audited_database, shell_actor
from cli.errors import CommandError
from cli.options import ConfigOption
from server.audit import SERVER_TENANT, AuditAction, AuditEvent
from server.configuration.loading import load_settings
from server.configuration.settings import Settings
from server.keyring.key_files import open_key_files
from server.keyring.keys import KeyFolder
from server.storage.audit import AuditLog
from server.storage.audit_witness import AuditWitness

__all__ = ["accept_command"]

_LONGEST_DETAIL = 256


def accept_command(
    *,
    reason: Annotated[
        str,
        typer.Option("--reason", help="Why, for the audit log; 1 to 256 bytes, and no personal data."),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Accept the audit log as it is, so that servers sign it again.

    A server stops signing if the log lacks checkpoints that the witness has, as after the restoration of a
    backup, if signed entries were changed, or if an audit key was lost with its public half. This command
    shows what does not fit, records the acceptance, and signs every log. The loss stays visible: `facegate
    audit verify` names it from then on. For example:

        facegate audit accept --reason "backup of 1 April restored, incident 12"
    """
    with log_errors(remote=False):
        if not reason.strip():
            raise CommandError("state a --reason: it is kept for ever")
        settings = load_settings(config).settings
        accepted = asyncio.run(_accept(settings, reason, yes=yes))
    if not accepted:
        typer.echo("The log extends what was signed before; there is nothing to accept.")
    else:
        typer.echo(f"Accepted, and signed again from checkpoint {accepted} on.")


async def _accept(settings: Settings, reason: str, *, yes: bool) -> int:
    """Returns the position of the checkpoint that states the acceptance; 0 if there was nothing to accept."""
    files = open_key_files(settings.key_folder, settings.keys)
    own_audit_keys(files)
    signer = KeyFolder(files, issuer=settings.results.issuer).keys.audit
    witness = AuditWitness(settings.witness_url)
    async with audited_database(settings.database_url) as database:
        log = AuditLog(database)
        witnessed = await witness.read()
        problems = await log.changes(signer.keys, witnessed=witnessed)
        if not problems:
            return 0
        for problem in problems:
            typer.echo(str(problem), err=True)
        if not yes:
            typer.confirm("Accept the log as it is? The acceptance is recorded.", abort=True, err=True)
        event = AuditEvent(
            tenant=SERVER_TENANT,
            action=AuditAction.AUDIT_ACCEPTED,
            actor=shell_actor(),
            purpose=reason,
            detail={
                "witnessed": str(witness.position),
                "problems": str(len(problems)),
                "first": str(problems[0])[:_LONGEST_DETAIL],
            },
        )
        made = await log.accept(
            signer, event, now=datetime.now(UTC), witnessed=witnessed, position=witness.position
        )
        await witness.write(log.witness, position=log.position)
        return made[0].position
