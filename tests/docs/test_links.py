"""Every relative link of the pages has a target."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import REPOSITORY, anchors, code_spans, links, pages, prose

_NAMES = [str(page.relative_to(REPOSITORY)) for page in pages()]


def _broken(page: Path) -> list[str]:
    found = []
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_relative_to(REPOSITORY) or not target.exists():
            found.append(f"{link}: no such file")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            found.append(f"{link}: no such heading")
    return found


@pytest.mark.parametrize("name", _NAMES)
def test_links_resolve(name: str) -> None:
    assert _broken(REPOSITORY / name) == []


def test_links_are_found() -> None:
    assert sum(len(links(page)) for page in pages()) > 150


def test_anchors_are_those_of_the_host(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# `[a.b]` and *c*: D\n\n```sh\n# no heading\n```\n\n## Same\n\n## Same\n")
    assert anchors(page) == {"ab-and-c-d", "same", "same-1"}


def test_every_page_is_on_the_map() -> None:
    docs = REPOSITORY / "docs"
    linked = {(docs / link.partition("#")[0]).resolve() for link in links(docs / "README.md")}
    listed = {page for page in docs.glob("*.md") if page.name != "README.md"}
    assert listed - linked == set()
    assert (docs / "adr" / "README.md") in linked


def test_the_files_that_contributors_are_sent_to_exist() -> None:
    named = {
        path
        for span in code_spans(REPOSITORY / "CONTRIBUTING.md")
        for path in re.findall(r"(?:^|(?<= ))[\w-]+(?:/[\w-]+)*/[\w.-]+\.\w+", span.partition("::")[0])
    }
    assert len(named) > 40
    assert [path for path in sorted(named) if not (REPOSITORY / path).is_file()] == []


def test_the_pages_name_no_path_of_a_machine() -> None:
    assert [name for name in _NAMES if "/work/" in prose(REPOSITORY / name)] == []
