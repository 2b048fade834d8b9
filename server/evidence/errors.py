"""The error of evidence images, beside ``server.sealing.SealError`` and the errors of the object store."""

from server.sealing import SealError

__all__ = ["EvidenceAltered"]


class EvidenceAltered(SealError):
    """An image was unsealed, but its SHA-256 is not the recorded one."""
