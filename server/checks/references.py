"""Reads a trusted image by its reference, and maps errors of the store to refusals."""

import structlog

from server.errors import Reason, Refusal
from server.trusted_images.errors import (
    ReferencedImageTooLarge,
    ReferenceInvalid,
    ReferenceNotFound,
    StoreUnavailable,
    TenantHasNoImages,
)
from server.trusted_images.fetching import TrustedImages

__all__ = ["referenced_image"]

_RETRY_SECONDS = 2.0
_log = structlog.get_logger(__name__)


async def referenced_image(
    images: TrustedImages | None, reference: str, *, tenant: str, max_bytes: int
) -> bytes:
    """Returns the bytes of a trusted image in the customer's own store.

    Args:
        images: The store; ``None`` if none is configured.
        reference: The reference that the orchestrator sent. No message repeats it, because it may be personal
            data.
        tenant: The tenant of the caller.
        max_bytes: The maximum size of the image.

    Raises:
        Refusal: IMAGE_REFERENCE_NOT_CONFIGURED, IMAGE_REFERENCE_INVALID, IMAGE_REFERENCE_NOT_FOUND,
            IMAGE_REFERENCE_UNAVAILABLE or IMAGE_TOO_LARGE.
    """
    if images is None:
        raise Refusal(
            Reason.IMAGE_REFERENCE_NOT_CONFIGURED,
            "this server has no store of trusted images; send the image itself",
        )
    try:
        return await images.read(reference, tenant=tenant, max_bytes=max_bytes)
    except ReferenceInvalid as error:
        raise Refusal(
            Reason.IMAGE_REFERENCE_INVALID,
            f"image_reference {error.problem}; give the path below the store's prefix, such as 2031/4711.jpg",
            details={"field": "image_reference"},
        ) from error
    except ReferenceNotFound as error:
        raise Refusal(
            Reason.IMAGE_REFERENCE_NOT_FOUND,
            "image_reference names no image; correct it, store the image first, or send the image itself",
            details={"field": "image_reference"},
        ) from error
    except ReferencedImageTooLarge as error:
        raise Refusal(
            Reason.IMAGE_TOO_LARGE,
            f"the referenced image has {error.size} bytes; at most {error.limit} are allowed",
            details={"bytes": error.size, "maxBytes": error.limit},
        ) from error
    except TenantHasNoImages as error:
        raise Refusal(
            Reason.IMAGE_REFERENCE_NOT_CONFIGURED,
            "this server has no store of trusted images for these credentials; send the image itself",
        ) from error
    except StoreUnavailable as error:
        # The exception is not logged, because the texts of its causes repeat the reference.
        _log.error("trusted_images_unavailable", cause=error.cause)
        raise Refusal(
            Reason.IMAGE_REFERENCE_UNAVAILABLE,
            "the store of trusted images did not answer correctly; try again, or send the image itself",
            retry_after=_RETRY_SECONDS,
        ) from error
