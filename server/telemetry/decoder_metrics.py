"""What operators measure of the processes in which pictures are decoded."""

from prometheus_client import CollectorRegistry, Counter

__all__ = ["DecoderMetrics"]


class DecoderMetrics:
    """Counts decodes and replaced processes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics; a registry takes them once."""
        self._isolated = Counter(
            "facegate_isolated_decodes",
            "Pictures that were decoded in a process of their own, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._decoders_replaced = Counter(
            "facegate_decoders_replaced",
            "Decoder processes that were replaced, by cause; `worn` is not an error.",
            ["cause"],
            registry=registry,
        )

    def isolated_decode(self, outcome: str) -> None:
        """A picture went through a decoder process: ``decoded``, ``refused``, ``lost`` or ``no_worker``."""
        self._isolated.labels(outcome).inc()

    def decoder_replaced(self, cause: str) -> None:
        """A decoder process was replaced."""
        self._decoders_replaced.labels(cause).inc()
