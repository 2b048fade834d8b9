"""The settings of the server: their tables, their loading and their display."""
