"""Trains, exports and evaluates Facegate's own PAD network (``docs/pad_network.md``)."""
