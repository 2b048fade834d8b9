"""Checks: the state machine and what moves it."""
