"""Metrics of the models."""

from prometheus_client import CollectorRegistry, Gauge

__all__ = ["ModelMetrics"]


class ModelMetrics:
    """Shows where the models run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers the metrics, which a registry accepts only once."""
        self._on_gpu = Gauge(
            "facegate_models_on_gpu", "1 if the models run on a GPU, 0 if on the CPU.", registry=registry
        )

    def set_device(self, *, on_gpu: bool) -> None:
        """Sets where the models run."""
        self._on_gpu.set(on_gpu)
