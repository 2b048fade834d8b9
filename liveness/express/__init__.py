"""Passive liveness: one module for each signal, and the judge that combines them."""
