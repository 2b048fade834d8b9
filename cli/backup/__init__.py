"""``facegate backup`` and ``facegate restore``: database, objects and keys, each on its own."""

from cli.backup.backup_command import app as backup_app
from cli.backup.restore_command import app as restore_app

__all__ = ["backup_app", "restore_app"]
