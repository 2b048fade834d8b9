"""The levels of assurance: how well a device is known."""

from enum import StrEnum

__all__ = ["Assurance"]


class Assurance(StrEnum):
    """The levels of assurance, lowest first; the names are those of ``facegate.v1.DeviceAssurance``."""

    NONE = "NONE"
    """Nothing vouches for the device."""
    LOW = "LOW"
    """The same key, or the same app, as before; nothing is known of the device."""
    MEDIUM = "MEDIUM"
    """A platform vouches for the key or the app."""
    HIGH = "HIGH"
    """Hardware vouches for key and app, on Android for the system too, and the frames are bound to it."""

    @property
    def attested(self) -> bool:
        """Whether the level needs an attestation: MEDIUM and HIGH do, NONE and LOW do not."""
        return self.level >= Assurance.MEDIUM.level

    @property
    def level(self) -> int:
        """The position of the level, from 0 for NONE to 3 for HIGH."""
        return list(Assurance).index(self)
