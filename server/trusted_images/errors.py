"""What the customer's store of trusted images raises.

::

    TrustedImagesError
    ├── ReferenceInvalid        the reference is malformed, or leads over a link or to no plain file
    ├── ReferenceNotFound       the reference leads to nothing
    ├── ReferencedImageTooLarge the image has more bytes than are allowed
    ├── TenantHasNoImages       no place in the store can be named after this tenant
    └── StoreUnavailable        the store did not answer, or refuses this server; a retry may help

Settings with which the store must not be opened are a ``server.errors.ConfigurationError``.

A reference may be personal data: no message repeats it. Exceptions of obstore and the file system, whose
messages do, do not pass this folder; they are the ``__cause__`` of one of the above and are never logged.
"""

__all__ = [
    "ReferenceInvalid",
    "ReferenceNotFound",
    "ReferencedImageTooLarge",
    "StoreUnavailable",
    "TenantHasNoImages",
    "TrustedImagesError",
]


class TrustedImagesError(Exception):
    """Root of what the store of trusted images raises."""


class ReferenceInvalid(TrustedImagesError):
    """The reference is malformed, or leads to something other than a plain file of the store.

    Attributes:
        problem: What is wrong, in words that follow "image_reference"; never the reference itself.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"the reference {problem}")
        self.problem = problem


class ReferenceNotFound(TrustedImagesError):
    """The reference leads to nothing."""


class ReferencedImageTooLarge(TrustedImagesError):
    """The image has more bytes than are allowed; no more than one byte above the limit was read.

    Attributes:
        size: Its bytes, as the store says, or at least as many as were read.
        limit: The most that are allowed.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the referenced image has {size} bytes, more than {limit}")
        self.size = size
        self.limit = limit


class TenantHasNoImages(TrustedImagesError):
    """The tenant's name cannot stand for a folder, so that nothing in the store is its own."""


class StoreUnavailable(TrustedImagesError):
    """The store did not answer, did not answer in time, or refuses this server.

    Attributes:
        cause: What happened, for the operator's log: the name of an error, never its text.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(f"the store of trusted images is not available ({cause})")
        self.cause = cause
