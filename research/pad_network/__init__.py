"""Facegate's own PAD network: how it is trained, exported and judged (``docs/pad_network.md``)."""
