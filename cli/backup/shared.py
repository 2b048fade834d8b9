"""The options, progress and report that ``facegate backup`` and ``facegate restore`` share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from cli.error_reporting import errors_reported
from server.audit import AuditEventInvalid
from server.backup import BackupError, CopySummary, DumpSummary
from server.configuration.loading import SettingsInvalid, load_settings
from server.configuration.settings import Settings
from server.storage.errors import StorageError

__all__ = ["KeyFileOption", "copy_report", "dump_report", "loaded", "rows_shown"]

KeyFileOption = Annotated[
    Path,
    typer.Option(
        "--key-file", help="File with the key of the backup: 32 bytes as base64 (openssl rand -base64 32)."
    ),
]


@contextmanager
def loaded(config: Path | None) -> Iterator[Settings]:
    """Loads the settings, and reports the errors of the block."""
    with errors_reported(SettingsInvalid, BackupError, StorageError, AuditEventInvalid):
        yield load_settings(config).settings


@contextmanager
def rows_shown(verb: str) -> Iterator[Callable[[str, int], None]]:
    """Shows on standard error how many rows or objects were handled."""
    columns = (SpinnerColumn(), TextColumn(verb), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")
        yield lambda name, count: progress.update(task, description=f"{name}: {count:,}")


def dump_report(summary: DumpSummary) -> str:
    """Returns what a dump contains, in a sentence."""
    checks = summary.rows.get("checks", 0)
    return (
        f"{sum(summary.rows.values()):,} rows of {checks:,} checks, as of "
        f"{summary.time:%Y-%m-%d %H:%M:%S} UTC, schema {summary.revision}"
    )


def copy_report(summary: CopySummary) -> str:
    """Returns what a copy did, in a sentence."""
    parts = [f"copied {summary.copied:,} objects", f"{summary.present:,} were there already"]
    if summary.gone:
        parts.append(f"{summary.gone:,} were erased meanwhile")
    if summary.pruned:
        parts.append(f"deleted {summary.pruned:,} that the source has no more")
    return ", ".join(parts)
