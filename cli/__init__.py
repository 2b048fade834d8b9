"""The `facegate` command, with a module for each command. It may import every package; none imports it."""
