"""Errors of the customer's store of trusted images.

::

    TrustedImagesError
    ├── ReferenceInvalid        the reference is malformed, contains a link, or names no regular file
    ├── ReferenceNotFound       nothing exists at the reference
    ├── ReferencedImageTooLarge the image has more bytes than are allowed
    ├── TenantHasNoImages       the name of the tenant cannot be a folder in the store
    └── StoreUnavailable        the store did not answer, or refuses this server; a retry may help

Invalid settings of the store raise ``server.base.errors.ConfigurationError``.

A reference may be personal data, so no message repeats it. The messages of exceptions of obstore and of the
file system do. Such an exception does not leave this package: it becomes the ``__cause__`` of one of the
above and is never logged.
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
    """Base class of the errors of the store of trusted images."""


class ReferenceInvalid(TrustedImagesError):
    """The reference is malformed, or names something other than a regular file of the store.

    Attributes:
        problem: A description that continues "image_reference"; never contains the reference itself.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(f"the reference {problem}")
        self.problem = problem


class ReferenceNotFound(TrustedImagesError):
    """Nothing exists at the reference."""


class ReferencedImageTooLarge(TrustedImagesError):
    """The image has more bytes than are allowed; no more than one byte above the limit was read.

    Attributes:
        size: The size that the store reports, or the number of bytes that were read.
        limit: The maximum size.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the referenced image has {size} bytes, more than {limit}")
        self.size = size
        self.limit = limit


class TenantHasNoImages(TrustedImagesError):
    """The name of the tenant cannot be a folder name, so the tenant has no images in the store."""


class StoreUnavailable(TrustedImagesError):
    """The store did not answer, did not answer in time, or refuses this server.

    Attributes:
        cause: The name of the error for the operator's log, never its text.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(f"the store of trusted images is not available ({cause})")
        self.cause = cause
