"""Presentation and injection attacks, one module each."""
