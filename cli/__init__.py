"""The `facegate` command: one module a command. It may import every room; nothing imports it."""
