"""Trusted images in an S3 bucket.

This module uses the blocking calls of obstore in its own threads. If a Python interpreter ends right after an
asynchronous call of obstore, it may be aborted, because threads of obstore still wait for it.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from server.trusted_images.errors import (
    ReferencedImageTooLarge,
    ReferenceInvalid,
    ReferenceNotFound,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from obstore.store import S3Config

__all__ = ["ImageBucket"]

_RETRIES: Final = 3
_CONNECT_SECONDS: Final = 3.0
_NO_BUCKET: Final = "<Code>NoSuchBucket</Code>"
_TRUE: Final = frozenset({"1", "true", "yes", "on"})


class ImageBucket:
    """A bucket of trusted images. Each call reads only the object at the given segments."""

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str | None,
        region: str | None,
        credentials: Mapping[str, str],
        timeout_seconds: float,
    ) -> None:
        """Configures the bucket; sends no request.

        Args:
            bucket: The name of the bucket.
            endpoint: URL of an S3 service other than Amazon's; ``None`` for ``AWS_ENDPOINT_URL`` of the
                environment, or Amazon's.
            region: The region of the bucket; ``None`` for ``AWS_REGION`` of the environment.
            credentials: ``access_key_id``, ``secret_access_key`` and optionally ``session_token``; empty for
                the credentials of the environment or of the machine, as obstore finds them.
            timeout_seconds: Maximum duration of one response, and of all retries together.
        """
        config: S3Config = {}
        if endpoint is not None:
            config["endpoint"] = endpoint
        if region is not None:
            config["region"] = region
        if credentials:
            config["access_key_id"] = credentials["access_key_id"]
            config["secret_access_key"] = credentials["secret_access_key"]
        if "session_token" in credentials:
            config["session_token"] = credentials["session_token"]
        limit = timedelta(seconds=timeout_seconds)
        self._store = S3Store(
            bucket,
            config=config,
            client_options={
                # These options, including this one, replace those of the environment.
                "allow_http": _allows_http(endpoint),
                "timeout": limit,
                "connect_timeout": timedelta(seconds=min(_CONNECT_SECONDS, timeout_seconds)),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": limit},
        )

    def read(self, segments: tuple[str, ...], max_bytes: int) -> bytes:
        """Returns the bytes of an object.

        Blocks; the body of an object of more than ``max_bytes`` is not read.

        Args:
            segments: The segments of the prefix and of the reference.
            max_bytes: The maximum size of the object.

        Raises:
            ReferenceInvalid: The segments are not a valid key.
            ReferenceNotFound: The object does not exist.
            ReferencedImageTooLarge: The object has more than ``max_bytes`` bytes.
            StoreUnavailable: The store does not answer, the bucket does not exist, or this server may not
                read it.
        """
        try:
            answer = obstore.get(self._store, "/".join(segments))
            size = answer.meta["size"]
            if size > max_bytes:
                raise ReferencedImageTooLarge(size, max_bytes)
            content = bytes(answer.bytes())
        except (NotFoundError, FileNotFoundError) as error:
            if _NO_BUCKET in str(error):
                raise StoreUnavailable("NoSuchBucket") from error
            raise ReferenceNotFound("there is nothing under the reference") from error
        except (BaseError, OSError) as error:
            raise StoreUnavailable(type(error).__name__) from error
        except ValueError as error:
            # obstore raises it for an invalid path.
            raise ReferenceInvalid("is not a key of the store") from error
        if len(content) > max_bytes:
            raise ReferencedImageTooLarge(len(content), max_bytes)
        return content


def _allows_http(endpoint: str | None) -> bool:
    if endpoint is not None:
        return endpoint.startswith("http://")
    return os.environ.get("AWS_ALLOW_HTTP", "").strip().lower() in _TRUE
