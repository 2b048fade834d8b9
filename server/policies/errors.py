"""Errors of policies.

::

    PolicyError
    ├── PolicyInvalid     a file violates the schema, or two files have the same name
    └── PolicyNotFound    no policy has the name

Exceptions of pydantic, ``tomllib`` and the file system do not leave this package.
"""

__all__ = ["PolicyError", "PolicyInvalid", "PolicyNotFound"]


class PolicyError(Exception):
    """Base class of the errors of policies."""


class PolicyInvalid(PolicyError):
    """A policy file violates the schema, or two files have the same name.

    Attributes:
        problems: One line for each problem: file, line or key, and the error.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PolicyNotFound(PolicyError):
    """No policy has the requested name.

    Attributes:
        name: The requested name.
        known: The names of all policies, sorted.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        # The name is truncated, because it may be as long as a request, and refusals are sent as metadata.
        super().__init__(f"no policy is named {name!r:.68}; there are {', '.join(known)}")
        self.name = name
        self.known = known
