"""Measures whether liveness errors differ between groups, sexes, ages and skin tones."""
