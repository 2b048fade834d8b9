"""The wire contract of Facegate; see ``facegate.v1``."""
