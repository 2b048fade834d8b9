"""Logs and metrics, without biometric data."""

from server.telemetry.logging import configure_logging
from server.telemetry.metrics import Metrics

__all__ = ["Metrics", "configure_logging"]
