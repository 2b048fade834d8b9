"""Clocks: compares this machine's with those of the database and the object store, and finds steps."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text

from cli.doctor.database import NOT_EXAMINED, existing_database, names_sqlite
from cli.doctor.finding import Deployment, Finding, failure, fine, not_examined, warning
from cli.doctor.objects import existing_objects, store_time
from server.storage.errors import StorageError
from server.storage.objects import folder_of

__all__ = ["compared", "examine_clock"]

_WARN: Final = timedelta(seconds=2)
_FAIL: Final = timedelta(seconds=30)
_SECONDS: Final = 0.3
_SLACK: Final = 0.05


async def examine_clock(deployment: Deployment) -> list[Finding]:
    """Compares clocks. SQLite and a folder are on this machine, so they have no other clock."""
    settings = deployment.settings
    found = [await _steady()]
    if not names_sqlite(settings):
        try:
            async with existing_database(settings) as database:
                before = datetime.now(UTC)
                at = await database.read(lambda c: c.execute(text("SELECT clock_timestamp()")).scalar_one())
                found.append(compared("database", at, before=before, after=datetime.now(UTC)))
        except StorageError:
            found.append(NOT_EXAMINED)
    if folder_of(settings.objects_url) is None:
        try:
            objects = existing_objects(settings.objects_url)
            before = datetime.now(UTC)
            stored = None if objects is None else await store_time(objects)
            if stored is not None:
                # Stores keep whole seconds.
                found.append(
                    compared(
                        "object store", stored, before=before - timedelta(seconds=1), after=datetime.now(UTC)
                    )
                )
        except StorageError:
            found.append(not_examined("OBJECTS_NOT_EXAMINED", "the object store cannot be used; see objects"))
    return found


def compared(name: str, at: datetime, *, before: datetime, after: datetime) -> Finding:
    """Returns the finding on another clock.

    Args:
        name: The owner of that clock, such as ``"database"``.
        at: The time of that clock, UTC.
        before: This machine's time before the request for ``at``, UTC.
        after: This machine's time after the answer, UTC.
    """
    apart = before - at if at < before else max(at - after, timedelta())
    seconds = f"{apart.total_seconds():.1f} s apart from the {name}'s clock"
    if apart <= _WARN:
        return fine("CLOCK_AGREES", seconds)
    expected = f"at most {_WARN.total_seconds():.0f} s"
    remedy = "synchronise the clocks of all machines (NTP, chrony)"
    if apart <= _FAIL:
        return warning("CLOCK_APART", seconds, expected=expected, remedy=remedy)
    return failure("CLOCK_WRONG", seconds, expected=expected, remedy=remedy)


async def _steady() -> Finding:
    wall, steady = time.time(), time.monotonic()
    await asyncio.sleep(_SECONDS)
    drift = (time.time() - wall) - (time.monotonic() - steady)
    if abs(drift) > _SLACK:
        return warning(
            "CLOCK_JUMPS",
            f"the clock moved {drift:+.2f} s against the monotonic clock in {_SECONDS} s",
            expected="both advance alike",
            remedy="let NTP slew the clock instead of stepping it",
        )
    return fine("CLOCK_STEADY", f"{drift * 1000:+.1f} ms in {_SECONDS} s")
