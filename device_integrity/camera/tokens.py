"""Splits a client's texts into tokens that can be compared."""

import unicodedata
from typing import Final

__all__ = ["BEGINS", "contains_run", "mixes_scripts", "tokens_of"]

BEGINS: Final = "*"
"""At the end of a run: its last token only has to begin so."""

_LONGEST: Final = 512
"""Characters that are read; the protocol allows 256 bytes."""

_WITHOUT_SPACES: Final = ("CJK UNIFIED IDEOGRAPH", "HIRAGANA", "KATAKANA")

_MARKS: Final = ("COMBINING ", "VARIATION SELECTOR")
_OF_KANA: Final = "COMBINING KATAKANA"
"""Kana with these marks are other letters."""

_SCRIPTS: Final = ("LATIN", "CYRILLIC", "GREEK")


def tokens_of(text: str) -> tuple[str, ...]:
    """Returns the words and numbers of a text: NFKC, case folded, without accents and invisible characters.

    Full-width and other compatibility forms and accented letters become plain ones, so that they cannot hide
    a name (Unicode Standard Annex 15). Every character that is not a letter or digit separates tokens. Each
    ideograph or kana is a token, because they are written without spaces.
    """
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text[:_LONGEST]).casefold())
    plain = unicodedata.normalize("NFKC", "".join(one for one in apart if not _is_mark(one)))
    kept = [character for character in plain if unicodedata.category(character) != "Cf"]
    return tuple("".join(_spaced(one) for one in kept).split())


def _is_mark(character: str) -> bool:
    name = unicodedata.name(character, "")
    return name.startswith(_MARKS) and not name.startswith(_OF_KANA)


def _spaced(character: str) -> str:
    if not character.isalnum():
        return " "
    if unicodedata.name(character, "").startswith(_WITHOUT_SPACES):
        return f" {character} "
    return character


def contains_run(tokens: tuple[str, ...], run: tuple[str, ...]) -> bool:
    """Returns whether the tokens contain the run, as consecutive tokens or as one word.

    A number at a token's end is ignored, so "OBS Camera2" contains the run "OBS Camera"; but not behind a
    single letter, as in "V5 Cam", which is a model. If the run ends with ``BEGINS``, its last token only has
    to begin so.
    """
    shorter = ((token, token.rstrip("0123456789")) for token in tokens)
    bare = tuple(short if len(short) > 1 else token for token, short in shorter)
    begins = run[-1:] != () and run[-1].endswith(BEGINS)
    wanted = (*run[:-1], run[-1].removesuffix(BEGINS)) if begins else run
    joined = "".join(wanted)
    return any(
        _matches(words[at : at + 1], (joined,), begins) or _matches(words[at : at + len(run)], wanted, begins)
        for words in (tokens, bare)
        for at in range(len(words))
    )


def _matches(words: tuple[str, ...], wanted: tuple[str, ...], begins: bool) -> bool:
    if not begins:
        return words == wanted
    return len(words) == len(wanted) and words[:-1] == wanted[:-1] and words[-1].startswith(wanted[-1])


def mixes_scripts(text: str) -> bool:
    """Returns whether a word mixes Latin, Cyrillic and Greek letters (Unicode Technical Standard 39, 5.1)."""
    for token in tokens_of(text):
        names = (unicodedata.name(character, "") for character in token)
        scripts = {script for name in names for script in _SCRIPTS if name.startswith(script)}
        if len(scripts) > 1:
            return True
    return False
