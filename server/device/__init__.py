"""Verifies the evidence and the claims of a device, and loads the keys and lists that this needs.

It may import ``device_integrity``, ``server.storage``, ``server.policies``, ``server.verdict`` and the
settings, but not ``server.scan`` or ``server.checks``.
Start with ``verification.py``, which verifies one piece of evidence, and ``assessment.py``, which assesses a
whole device.
"""

from server.device.google_play import GooglePlayDecoder

__all__ = ["GooglePlayDecoder"]
