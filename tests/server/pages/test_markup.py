from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.pages import Html, data_uri, joined, pill, template
from server.pages.gauges import mark


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.values: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


# HTML allows neither these control characters nor carriage returns; parsers replace them.
printable = st.text(st.characters(exclude_categories=("Cc", "Cs")))


@given(text=printable)
def test_text_stays_text_in_content(text: str) -> None:
    parser = _Text()
    parser.feed(str(pill(text, tone="good")))
    parser.close()
    assert parser.tags == ["span"]
    assert parser.text == text


@given(text=printable)
def test_text_stays_text_in_attributes(text: str) -> None:
    parser = _Text()
    parser.feed(str(mark(1.0, text)))
    parser.close()
    assert parser.tags == ["span"]
    assert parser.values[-1] == text


def test_markup_is_taken_as_it_is_and_text_is_escaped_once() -> None:
    assert Html("<b>{}</b>{}").format(pill("<i>"), Html("<hr>")) == (
        '<b><span class="pill">&lt;i&gt;</span></b><hr>'
    )
    assert joined([Html("<hr>"), pill("<i>")]).count("<") == 3


def test_a_missing_value_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        template("server.pages", "card").format(key="a")


def test_a_file_becomes_a_data_uri() -> None:
    assert data_uri(b"\xff\xd8", media_type="image/jpeg") == "data:image/jpeg;base64,/9g="
