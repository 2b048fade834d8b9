"""Fits ``liveness/fusion_model.toml``, which fuses liveness signals, from real clips and from photos presented as attacks."""
