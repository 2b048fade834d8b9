"""A running server: its listeners, threads, files and background work."""
