"""``python -m facegate_app``: the ``facegate`` command."""

from facegate_app import main

if __name__ == "__main__":
    main()
