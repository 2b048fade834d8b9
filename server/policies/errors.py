"""What policies raise.

::

    PolicyError
    ├── PolicyInvalid     a file breaks the schema, or two files claim one name
    └── PolicyNotFound    no policy of that name

Exceptions of pydantic, ``tomllib`` and the file system do not pass this folder.
"""

__all__ = ["PolicyError", "PolicyInvalid", "PolicyNotFound"]


class PolicyError(Exception):
    """Root of what policies raise."""


class PolicyInvalid(PolicyError):
    """A policy file breaks the schema.

    Attributes:
        problems: One line for each problem: file, line or key, what is wrong.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PolicyNotFound(PolicyError):
    """There is no policy of that name.

    Attributes:
        name: The name asked for.
        known: The names that there are, sorted.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        # Cut, because it may be as long as a request, and refusals travel as metadata.
        super().__init__(f"no policy is named {name!r:.68}; there are {', '.join(known)}")
        self.name = name
        self.known = known
