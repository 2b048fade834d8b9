"""Defines the terms, states, reasons and failure limits that policies, checks, scans and storage share.

It is pure and imports no other folder of the server.
Start with ``state.py``, the life of a check.
"""
