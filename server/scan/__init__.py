"""Runs a scan stream, from the device's first message to the durable decision, independently of gRPC.

It may import ``server.checks``, ``server.device``, ``server.storage`` and the layers below them, but neither
``server.edge`` nor the wire's types.
Start with ``session.py``, which serves one stream, and ``endings.py``, the state machine of an attempt's end.
"""
