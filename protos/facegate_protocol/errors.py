"""The exception for key material that cannot be used."""

__all__ = ["KeyMaterialError"]


class KeyMaterialError(Exception):
    """A key, key share or signature encoding is not of the kind or length that the protocol requires."""
