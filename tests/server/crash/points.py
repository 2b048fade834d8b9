"""The crash points: every step of an operation at which its process is killed."""

from dataclasses import dataclass
from typing import Final

from tests.server.crash.tripwire import COMMIT, Moment, Trip

_BEFORE, _AFTER = Moment.BEFORE, Moment.AFTER
_DELETE: Final = "server.storage.objects:ObjectStore.delete"
_PUT: Final = "server.storage.objects:_FolderObjects.put"
_LOG: Final = "server.storage.database:_truncate_log"
_LINK: Final = "os:link"
_RENAME: Final = "pathlib:Path.rename"
_REPLACE: Final = "pathlib:Path.replace"
_REMOVE: Final = "server.keyring.key_rotation:_remove"


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """One crash point.

    Attributes:
        name: Between which steps the process is killed.
        ci: Whether CI runs it; ``make crash`` runs all.
        after: Operations that run to their end first.
        postgres: Whether it also runs on PostgreSQL.
    """

    operation: str
    name: str
    trip: Trip
    ci: bool = False
    after: tuple[str, ...] = ()
    postgres: bool = False

    def __str__(self) -> str:
        """Return the name by which tests and reports know it."""
        return f"{self.operation}: {self.name}"


def _erasures() -> tuple[CrashPoint, ...]:
    return (
        CrashPoint("retention", "before the first transaction", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint(
            "retention", "after the rows, before the database's log", Trip(COMMIT, 1, _AFTER), postgres=True
        ),
        CrashPoint("retention", "after the log, before the first object", Trip(_LOG, 1, _AFTER)),
        CrashPoint("retention", "between two objects of a check", Trip(_DELETE, 1, _AFTER), ci=True),
        CrashPoint("retention", "between two checks", Trip(_DELETE, 2, _AFTER)),
        CrashPoint("retention", "after the last object", Trip(_DELETE, 4, _AFTER)),
        CrashPoint("erase check", "before its transaction ends", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint("erase check", "after the rows, before the objects", Trip(_DELETE, 1, _BEFORE), ci=True),
        CrashPoint("erase check", "between two objects", Trip(_DELETE, 1, _AFTER)),
        CrashPoint("erase subject", "before the devices", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint("erase subject", "after the devices, before the first check", Trip(COMMIT, 1, _AFTER)),
        CrashPoint("erase subject", "before the first check is durable", Trip(COMMIT, 2, _BEFORE)),
        CrashPoint("erase subject", "between two checks", Trip(_DELETE, 2, _AFTER), ci=True, postgres=True),
        CrashPoint(
            "erase subject", "after the checks, before the pseudonym's key", Trip(COMMIT, 4, _BEFORE), ci=True
        ),
        CrashPoint("erase subject", "after the pseudonym's key", Trip(COMMIT, 4, _AFTER)),
    )


def _keys() -> tuple[CrashPoint, ...]:
    retired = ("rotate", "retire")
    rewrapped = (*retired, "rewrap")
    return (
        CrashPoint("rotate", "before the file has its name", Trip(_LINK, 1, _BEFORE)),
        CrashPoint("rotate", "before the temporary name is gone", Trip(_LINK, 1, _AFTER)),
        CrashPoint("rotate", "before the entry is durable", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint("rotate result", "before the entry is durable", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint("retire", "before the file is renamed", Trip(_RENAME, 1, _BEFORE), after=("rotate",)),
        CrashPoint("retire", "before the entry is durable", Trip(COMMIT, 1, _BEFORE), after=("rotate",)),
        CrashPoint(
            "retire result",
            "public half made, private half there",
            Trip(_REMOVE, 1, _BEFORE),
            after=("rotate result",),
        ),
        CrashPoint(
            "retire result", "before the entry is durable", Trip(COMMIT, 1, _BEFORE), after=("rotate result",)
        ),
        CrashPoint("encrypt", "new content not in place", Trip(_REPLACE, 1, _BEFORE)),
        CrashPoint("encrypt", "between two files", Trip(_REPLACE, 3, _AFTER)),
        CrashPoint("encrypt", "files encrypted, entry not durable", Trip(COMMIT, 1, _BEFORE)),
        CrashPoint("rewrap", "before the first place", Trip(COMMIT, 2, _BEFORE), after=retired),
        CrashPoint(
            "rewrap", "between two places", Trip(COMMIT, 3, _AFTER), ci=True, after=retired, postgres=True
        ),
        CrashPoint("rewrap", "before the last place is durable", Trip(COMMIT, 5, _BEFORE), after=retired),
        CrashPoint("destroy", "before the file is gone", Trip(_REMOVE, 1, _BEFORE), after=rewrapped),
        CrashPoint(
            "destroy",
            "file gone, entry not durable",
            Trip(_REMOVE, 1, _AFTER),
            ci=True,
            after=rewrapped,
        ),
        CrashPoint(
            "destroy tenant",
            "between two files",
            Trip(_REMOVE, 1, _AFTER),
            ci=True,
            after=("rotate tenant",),
        ),
        CrashPoint("destroy tenant", "files gone, entry not durable", Trip(COMMIT, 2, _BEFORE)),
    )


def _restorations() -> tuple[CrashPoint, ...]:
    return (
        CrashPoint(
            "restore database",
            "rows in, not durable",
            Trip("server.backup.database:_restore", 1, _AFTER),
            ci=True,
        ),
        CrashPoint("restore objects", "before the first object", Trip(_PUT, 1, _BEFORE)),
        CrashPoint("restore objects", "between two objects", Trip(_PUT, 3, _AFTER), ci=True),
        CrashPoint("restore keys", "before the first file has its name", Trip(_LINK, 1, _BEFORE)),
        CrashPoint("restore keys", "between two files", Trip(_LINK, 3, _AFTER), ci=True),
        CrashPoint("restore keys", "after the last file", Trip(_LINK, 7, _AFTER)),
    )


POINTS: Final = (*_erasures(), *_keys(), *_restorations())
"""Every point over a deployment on disk; those of a server that decides are in ``test_server_points``."""
