"""Logs, metrics and traces, without biometric data."""
