"""Decoders with a bad history, each in a process that can do nothing else and may die.

Start with ``vision.isolation.pool.DecoderPool``. The worker's side is ``vision.isolation.worker``; this
file imports nothing, because the worker loads it too.
"""
