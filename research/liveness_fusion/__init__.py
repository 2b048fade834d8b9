"""Fits the model that fuses liveness signals, from real clips and from photos presented as attacks."""
