"""Errors of backups.

::

    BackupError           a backup cannot be made or restored
        BackupDamaged     the backup is incomplete, altered, or of another version
        TargetNotEmpty    the place to restore to already has data
"""

from server.base.errors import ConfigurationError

__all__ = ["BackupDamaged", "BackupError", "TargetNotEmpty"]


class BackupError(ConfigurationError):
    """A backup cannot be made or restored."""


class BackupDamaged(BackupError):
    """The backup is incomplete, altered, encrypted under another key, or of another version."""


class TargetNotEmpty(BackupError):
    """The place to restore to already has data, which a restore never overwrites."""
