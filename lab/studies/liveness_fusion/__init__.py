"""Fits ``liveness/fusion_model.toml`` to real clips, and to photos presented as attacks."""
