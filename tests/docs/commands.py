"""The shell commands that the pages show."""

import re
import shlex
from collections.abc import Iterator
from typing import Final

from tests.docs.pages import CodeBlock

__all__ = ["commands", "program_of", "simple_commands"]

_SHELLS: Final = frozenset({"console", "sh", "bash", "shell"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_OLD = re.compile(r"\b(?:at|with that) commit\b")
_PLACEHOLDER = re.compile(r"<(\w[\w -]*)>")
_NUMBERED = re.compile(r"(?<=\s)\d+(?=[<>])")
_BETWEEN: Final = frozenset({"|", "||", "&&", ";", "&", "(", ")", "$("})


def commands(block: CodeBlock) -> Iterator[list[str]]:
    """The simple commands of a block, as words; none if it is not for a shell, or is of an old commit.

    In a ``console`` block commands begin with a prompt; all else is output.
    """
    if _OLD.search(block.introduction):
        return
    if block.language == "ini":
        for line in block.text.splitlines():
            key, _, value = line.partition("=")
            if key.startswith("Exec"):
                yield shlex.split(value)
    if block.language not in _SHELLS:
        return
    for line in _lines(block):
        yield from simple_commands(line)


def program_of(words: list[str]) -> tuple[str, list[str]]:
    """The program's name without its folder, and its arguments, without assignments before it."""
    rest = list(words)
    while rest and _ASSIGNMENT.match(rest[0]):
        rest.pop(0)
    return (rest[0].rpartition("/")[2], rest[1:]) if rest else ("", [])


def _lines(block: CodeBlock) -> Iterator[str]:
    """Whole commands: a line that ends with a backslash continues in the next."""
    joined = re.sub(r"\\\n\s*", " ", block.text)
    for line in joined.splitlines():
        if block.language != "console":
            yield line
        elif line.startswith("$ "):
            yield line.removeprefix("$ ")


def simple_commands(line: str) -> Iterator[list[str]]:
    """The commands of a line, without redirections."""
    plain = _NUMBERED.sub("", _PLACEHOLDER.sub(r"\1", line))
    lexer = shlex.shlex(plain, posix=True, punctuation_chars="|&;()<>")
    lexer.whitespace_split = True
    words: list[str] = []
    skip = False
    for word in lexer:
        if skip:
            skip = False
        elif word in _BETWEEN:
            if words:
                yield words
            words = []
        elif set(word) <= set("<>&|"):
            # A redirection: a file follows.
            skip = True
        else:
            words.append(word)
    if words:
        yield words
