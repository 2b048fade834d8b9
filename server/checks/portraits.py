"""Makes the portrait of a check from the image of an upload."""

from matcher import Portrait, TrustedImageRefused, accept_portrait
from server.checks.references import referenced_image
from server.checks.refusals import refusal_of
from server.checks.uploads import TrustedImageUpload
from server.errors import Reason, Refusal
from server.policies import Policy
from server.telemetry.metrics import Metrics
from server.telemetry.stages import Stage
from server.telemetry.timed_models import staged_embedder
from server.trusted_images.fetching import TrustedImages
from server.worker_pool import WorkerPool
from vision.errors import DecoderUnavailable
from vision.image import StillDecoder
from vision.packs import Pack

__all__ = ["PortraitIntake"]


class PortraitIntake:
    """Fetches trusted images and makes portraits."""

    def __init__(
        self,
        *,
        pack: Pack,
        pool: WorkerPool,
        metrics: Metrics,
        still_decoder: StillDecoder | None = None,
        trusted_images: TrustedImages | None = None,
    ) -> None:
        """Sets the models, the threads and the stores.

        Args:
            pack: The models.
            pool: The pool in which portraits are made; scans use another one.
            metrics: Counts images that are refused, and times the stages.
            still_decoder: Decodes JPEG 2000; without it, JPEG 2000 is refused.
            trusted_images: The customer's own store; without it, references are refused.
        """
        self._pack = staged_embedder(pack, metrics.stages)
        self._pool = pool
        self._metrics = metrics
        self._still_decoder = still_decoder
        self._trusted_images = trusted_images

    async def image(self, upload: TrustedImageUpload, policy: Policy) -> bytes:
        """Returns the bytes of the image of an upload, without decoding them.

        Raises:
            Refusal: A referenced image could not be fetched; see ``referenced_image``.
        """
        if isinstance(upload.image, bytes):
            return upload.image
        try:
            with self._metrics.stages.stage(Stage.FETCH_IMAGE):
                return await referenced_image(
                    self._trusted_images,
                    upload.image.text,
                    tenant=upload.tenant,
                    max_bytes=policy.portrait.max_bytes,
                )
        except Refusal as refusal:
            self._metrics.checks.image_refused(refusal.reason.value, sandbox=upload.sandbox)
            raise

    async def accept(self, image: bytes, policy: Policy, *, sandbox: bool) -> Portrait:
        """Makes the portrait.

        Args:
            image: The bytes of the image.
            policy: The policy with the requirements for the portrait.
            sandbox: Whether a sandbox caller sent the image.

        Raises:
            Refusal: The image cannot be accepted, or no decoder for it is free (OVERLOADED).
        """
        try:
            with self._metrics.stages.stage(Stage.PORTRAIT):
                return await self._pool.run_apart(
                    accept_portrait,
                    image,
                    pack=self._pack,
                    policy=policy.portrait.as_policy(),
                    still_decoder=self._still_decoder,
                )
        except DecoderUnavailable as error:
            raise Refusal(
                Reason.OVERLOADED,
                "no decoder for this image format is free; try again later",
                retry_after=error.retry_after,
            ) from error
        except TrustedImageRefused as error:
            refusal = refusal_of(error)
            self._metrics.checks.image_refused(refusal.reason.value, sandbox=sandbox)
            raise refusal from error
