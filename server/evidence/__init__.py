"""Seals, stores and erases the evidence frames and audit images of checks.

It may import ``server.keyring.sealing`` and ``server.storage``, but not the code that decides which images
are kept. Start with ``store.py``.
"""
