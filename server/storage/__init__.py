"""Stores checks, devices and the scan memory in a database, and sealed images in an object store.

It may import ``server.domain`` and the small modules beneath it (``sealing``, ``sandbox``,
``private_files``), but no policy, scan or wire code.
Start with ``repository.py`` for the transitions of a check, and with ``tables.py`` for the schema.
"""
