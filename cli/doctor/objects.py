"""The object store: a probe object is stored, read, found and deleted."""

import uuid
from datetime import datetime
from pathlib import Path

from cli.doctor.finding import Deployment, Finding, failure, fine
from server.running.admin import object_store_probe
from server.storage.errors import StorageError
from server.storage.objects import ObjectStore, folder_of, open_object_store

__all__ = ["examine_objects", "existing_objects", "store_time"]

_PREFIX = "probe"


def existing_objects(url: str) -> ObjectStore | None:
    """Returns the store; ``None`` if it is a folder that does not exist, which opening would make."""
    folder: Path | None = folder_of(url)
    return open_object_store(url) if folder is None or folder.is_dir() else None


async def examine_objects(deployment: Deployment) -> list[Finding]:
    """Runs the probe of ``/readyz`` under a separate name, below ``probe/``."""
    url = deployment.settings.objects_url
    try:
        objects = existing_objects(url)
        if objects is None:
            return [
                failure(
                    "OBJECTS_MISSING",
                    f"the folder {url} does not exist",
                    expected="the folder of sealed images",
                    remedy="facegate restore objects, or correct storage.objects_url; the first start of a "
                    "new deployment makes it",
                )
            ]
        await object_store_probe(objects, name=f"doctor-{uuid.uuid4().hex}")()
    except (StorageError, OSError) as error:
        return [
            failure(
                "OBJECTS_UNUSABLE",
                str(error),
                expected="a store that puts, returns and deletes an object",
                remedy="correct storage.objects_url, the credentials in the environment, or the permissions",
            )
        ]
    return [fine("OBJECTS_WORK", f"an object below {_PREFIX}/ was stored, read and deleted")]


async def store_time(objects: ObjectStore) -> datetime | None:
    """Returns the time of the store's clock, or ``None`` if the store does not list the probe object.

    Stores a probe object, reads the time that the store gave it, and deletes it.

    Raises:
        StorageError: The store cannot be used.
    """
    key = f"{_PREFIX}/doctor-{uuid.uuid4().hex}"
    await objects.put(key, b"facegate doctor")
    try:
        return next((i.modified for i in [i async for i in objects.list(_PREFIX)] if i.key == key), None)
    finally:
        await objects.delete(key)
