"""What device integrity raises when it cannot decide.

::

    DeviceIntegrityError
    └── KeyMaterialError    a public key, key share or signature encoding that cannot be read
"""


class DeviceIntegrityError(Exception):
    """Root of everything that this room raises."""


class KeyMaterialError(DeviceIntegrityError):
    """A key that the device sent is not of the kind or length that the protocol asks for."""
