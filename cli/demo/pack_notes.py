"""What a pack sees and what it does not, in sentences for the demo's page."""

from dataclasses import dataclass

from cli.demo.pack_choice import ChosenPack
from cli.pages import Html, joined
from vision.packs import Pack

__all__ = ["PackNotes", "pack_notes"]

_ALWAYS_SEEN = (
    "Pictures that are as still as a thing, or that move as one flat sheet.",
    "The same frames sent again and again, frozen or looped.",
    "Blinks, small movements of the face by itself, and a background that moves apart from the face.",
)
_NO_NETWORK = (
    "It has no presentation attack detection (PAD) network: good screen replays, masks and deepfakes are "
    "not recognised as such. The checks below show what some of them get."
)
_NETWORK = (
    "Its PAD networks look at single frames and were trained on other attacks than yours: good masks, "
    "deepfakes and screens that they have not met may pass. The checks below show what some of them get."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackNotes:
    """Pieces of the page.

    Attributes:
        seen: List items: what the pack sees.
        unseen: List items: what it does not.
        use: What its results may be used for.
    """

    seen: Html
    unseen: Html
    use: str


def pack_notes(chosen: ChosenPack, *, matcher: str) -> PackNotes:
    """What can be said of a pack.

    Args:
        chosen: The pack.
        matcher: What its matcher is worth, in one sentence.
    """
    pack = chosen.pack
    seen = (*_ALWAYS_SEEN, *(_network_sentence(pack),)) if pack.pad_networks else _ALWAYS_SEEN
    unseen = (_NETWORK if pack.pad_networks else _NO_NETWORK, matcher)
    return PackNotes(seen=_items(seen), unseen=_items(unseen), use=_use(pack))


def _network_sentence(pack: Pack) -> str:
    names = ", ".join(network.name for network in pack.pad_networks)
    return f"What its presentation attack detection (PAD) networks know of prints and screens: {names}."


def _use(pack: Pack) -> str:
    if pack.evaluation_only:
        return "The pack is for evaluation only and must not decide about people."
    return (
        "Whether the pack may be used for your purpose is a matter of the terms of its files, below, and of "
        "your own measurements."
    )


def _items(sentences: tuple[str, ...]) -> Html:
    return joined(Html("<li>{}</li>").format(sentence) for sentence in sentences)
