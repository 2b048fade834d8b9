"""Tests of the browser's SDK in Chromium, against a real server."""
