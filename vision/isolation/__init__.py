"""Runs risky decoders, each in a confined process that may crash.

Start with ``vision.isolation.pool.DecoderPool``. The worker's side is ``vision.isolation.worker``. This
module imports nothing, because the worker loads it too.
"""
