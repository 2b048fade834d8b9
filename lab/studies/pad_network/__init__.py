"""Trains, exports and evaluates Facegate's own PAD network (``docs/evaluating.md``)."""
