"""Metrics of the processes in which images are decoded."""

from prometheus_client import CollectorRegistry, Counter

__all__ = ["DecoderMetrics"]


class DecoderMetrics:
    """Counts decodes and replaced processes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics, which a registry accepts only once."""
        self._isolated = Counter(
            "facegate_isolated_decodes",
            "Images that were sent to a decoder process, by outcome: decoded, refused, lost or no_worker.",
            ["outcome"],
            registry=registry,
        )
        self._decoders_replaced = Counter(
            "facegate_decoders_replaced",
            "Decoder processes that were replaced, by cause. The cause `worn` is a planned replacement, "
            "not an error.",
            ["cause"],
            registry=registry,
        )

    def isolated_decode(self, outcome: str) -> None:
        """Counts an image for a decoder process: ``decoded``, ``refused``, ``lost`` or ``no_worker``."""
        self._isolated.labels(outcome).inc()

    def decoder_replaced(self, cause: str) -> None:
        """Counts a replaced decoder process."""
        self._decoders_replaced.labels(cause).inc()
