"""Runs the ``facegate`` command as ``python -m facegate_app``."""

from facegate_app import main

if __name__ == "__main__":
    main()
