"""An image by its reference, or the refusal that its orchestrator is told."""

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
    """The bytes of a trusted image in the customer's own store.

    Args:
        images: The store; None where none is configured.
        reference: What the orchestrator sent. It is not repeated in any message: it may be personal data.
        tenant: Whose call it is.
        max_bytes: The most that the image may have.

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
            "image_reference leads to no image; correct it, store the image first, or send the image itself",
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
        # Without the exception: the texts of its causes repeat the reference.
        _log.error("trusted_images_unavailable", cause=error.cause)
        raise Refusal(
            Reason.IMAGE_REFERENCE_UNAVAILABLE,
            "the store of trusted images did not answer correctly; try again, or send the image itself",
            retry_after=_RETRY_SECONDS,
        ) from error
