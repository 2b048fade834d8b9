"""``facegate keys rewrap``: wraps every data key under the newest wrapping key of its tenant."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.audited import ReasonOption
from cli.error_reporting import FAILED, errors_reported
from cli.keys.audited import record_change
from cli.options import ConfigOption
from server.audit import AuditAction, AuditEventInvalid
from server.base.errors import ConfigurationError
from server.configuration.loading import SettingsInvalid, load_settings
from server.keyring.key_files import open_key_files
from server.keyring.keys import KeyFolder
from server.keyring.sealing import SealBroken, WrappingKeys, WrappingKeyUnknown, rewrap
from server.storage.database import open_database
from server.storage.errors import StorageError
from server.storage.schema import expect_usable
from server.storage.wrapped_keys import PLACES, WrappedKey, WrappedKeyRepository

__all__ = ["rewrap_command"]

_BATCH = 200


def rewrap_command(reason: ReasonOption = "", config: ConfigOption = None) -> None:
    """Wrap all data keys under the newest evidence key, of the server or of their tenant.

    Only rows of the database change, never an object; servers may run. You can repeat it after
    an interruption: it skips keys that are wrapped already. The audit log records it. For example, after
    `facegate keys rotate evidence` and `facegate keys retire 1 --purpose evidence`:

        facegate keys rewrap --config /etc/facegate.toml
    """
    with errors_reported(SettingsInvalid, ConfigurationError, StorageError, AuditEventInvalid):
        settings = load_settings(config).settings
        keys = KeyFolder(open_key_files(settings.key_folder, settings.keys)).keys.wrapping_keys
        changed, lost = asyncio.run(_rewrap(settings.database_url, keys))
        record_change(
            settings.database_url,
            AuditAction.KEY_REWRAPPED,
            lambda _: None,
            reason=reason,
            changed=str(changed),
            lost=str(sum(lost.values())),
        )
    typer.echo(f"Rewrapped {changed:,} data keys.")
    if lost:
        typer.echo(
            "Could not open "
            + ", ".join(f"{number:,} of {place}" for place, number in lost.items())
            + ": their wrapping key is not in the key folder, or they were altered.",
            err=True,
        )
        raise typer.Exit(FAILED)


async def _rewrap(database_url: str, keys: WrappingKeys) -> tuple[int, Mapping[str, int]]:
    """Returns how many data keys were rewrapped, and how many could not be opened, by place."""
    database = open_database(database_url, patient=True, expect=expect_usable)
    lost: Counter[str] = Counter()
    try:
        repository = WrappedKeyRepository(database)
        totals = await repository.count()
        changed = 0
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            for place in PLACES:
                total = sum(totals[place.name].values())
                task = progress.add_task(place.name, total=total)

                def wrap_anew(found: WrappedKey, name: str = place.name) -> tuple[bytes, str] | None:
                    if found.key_id == keys.key_id_for(found.context.tenant):
                        return None
                    try:
                        return rewrap(
                            found.wrapped_key,
                            key_id=found.key_id,
                            wrapping_keys=keys,
                            aad=found.context,
                            random=secrets.token_bytes,
                        )
                    except (SealBroken, WrappingKeyUnknown):
                        lost[name] += 1
                        return None

                after = None
                while True:
                    batch = await repository.rewrap(place, wrap_anew, after=after, limit=_BATCH)
                    changed += batch.changed
                    progress.advance(task, batch.rows)
                    if (after := batch.last) is None:
                        break
        return changed, lost
    finally:
        await database.close()
