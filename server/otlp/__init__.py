"""Sends traces and metrics to a collector by OTLP over gRPC.

Separate threads send, so a slow or unreachable collector never delays a scan. Spans that cannot be sent are
dropped and counted. When the server stops, it waits a bounded time for these threads.
"""

from server.otlp.opening import OtlpExport, open_otlp

__all__ = ["OtlpExport", "open_otlp"]
