"""Parts of the repository's Markdown pages for their tests."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_BESIDE_DOCS: Final = (
    *("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"),
    *("helm/facegate/README.md", "tests/compatibility/README.md"),
    *("web/README.md", "web/sdk/README.md", "web/server/README.md"),
    *("sdk/kotlin/README.md", "sdk/kotlin/COMPARISON.md"),
)

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE
)
_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_OLD = re.compile(r"\s+at commit\b")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_ID = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?(?: +\"[^\"]*\")?\)")
_SOURCE = re.compile(r"(?:src|href|srcset)=\"([^\"]+)\"")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block.

    Attributes:
        line: The number of its first line.
        language: The text after the fence, such as ``console``.
        text: The lines between the fences.
        introduction: The paragraph above it.
    """

    page: Path
    line: int
    language: str
    text: str
    introduction: str = ""


def pages() -> list[Path]:
    """The pages of the root and of the packages, and everything in ``docs/``."""
    return [*(REPOSITORY / name for name in _BESIDE_DOCS), *sorted((REPOSITORY / "docs").rglob("*.md"))]


def code_blocks(page: Path) -> Iterator[CodeBlock]:
    """The fenced blocks of a page."""
    source = _text(page)
    for match in _FENCE.finditer(source):
        indent = match["indent"]
        text = "".join(line.removeprefix(indent) for line in match["text"].splitlines(keepends=True))
        line = source.count("\n", 0, match.start("text")) + 1
        above = source[: match.start()].rstrip().rpartition("\n\n")[2]
        yield CodeBlock(page=page, line=line, language=match["language"], text=text, introduction=above)


def code_spans(page: Path) -> list[str]:
    """Texts between single backticks, on one line each, except those marked as of an old commit."""
    found = _SPAN.finditer(_FENCE.sub("", _text(page)))
    return [" ".join(span[1].split()) for span in found if not _OLD.match(span.string, span.end())]


def links(page: Path) -> list[str]:
    """The targets of a page's links and images."""
    text = prose(page)
    return [*_LINK.findall(text), *_SOURCE.findall(text)]


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page: those of its headings, and explicit ones."""
    text = _FENCE.sub("", _text(page))
    found: set[str] = set(_ID.findall(text))
    for heading in _HEADING.findall(text):
        base = slug = _slug(heading)
        number = 0
        while slug in found:
            number += 1
            slug = f"{base}-{number}"
        found.add(slug)
    return frozenset(found)


def prose(page: Path) -> str:
    """A page without its code."""
    return _SPAN.sub("", _FENCE.sub("", _text(page)))


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


@cache
def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


# The shell commands that the pages show.

_SHELLS: Final = frozenset({"console", "sh", "bash", "shell"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_COMMANDS_OLD = re.compile(r"\b(?:at|with that) commit\b")
_PLACEHOLDER = re.compile(r"<(\w[\w -]*)>")
_NUMBERED = re.compile(r"(?<=\s)\d+(?=[<>])")
_BETWEEN: Final = frozenset({"|", "||", "&&", ";", "&", "(", ")", "$("})


def commands(block: CodeBlock) -> Iterator[list[str]]:
    """The simple commands of a block, as words; none if it is not for a shell, or is of an old commit.

    In a ``console`` block commands begin with a prompt; all else is output.
    """
    if _COMMANDS_OLD.search(block.introduction):
        return
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
