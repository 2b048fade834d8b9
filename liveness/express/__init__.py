"""The passive liveness check: one module a signal, and the judge that asks them all."""
