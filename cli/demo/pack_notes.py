"""The abilities and limits of a pack, in sentences for the demo's page."""

from dataclasses import dataclass

from cli.demo.pack_choice import ChosenPack
from server.pages import Html, joined
from vision.packs import Pack

__all__ = ["PackNotes", "pack_notes"]

_ALWAYS_SEEN = (
    "Images that are as still as an object, or that move as one flat sheet.",
    "The same frames sent again and again, frozen or looped.",
    "Blinks, small movements within the face, and a background that moves independently of the face.",
)
_NO_NETWORK = (
    "It has no presentation attack detection (PAD) network: good screen replays, masks and deepfakes are "
    "not recognised. The checks below show the outcomes for some of them."
)
_NETWORK = (
    "Its PAD networks examine single frames and were trained on other attacks than yours: good masks, "
    "deepfakes and screens outside their training data may pass. The checks below show the outcomes for some."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackNotes:
    """Parts of the page.

    Attributes:
        seen: List items: the attacks that the pack detects.
        unseen: List items: the attacks that it does not detect.
        use: Allowed use of its results.
    """

    seen: Html
    unseen: Html
    use: str


def pack_notes(chosen: ChosenPack, *, matcher: str) -> PackNotes:
    """Returns the notes on a pack.

    Args:
        chosen: The pack.
        matcher: The error rates of its matcher, in one sentence.
    """
    pack = chosen.pack
    seen = (*_ALWAYS_SEEN, *(_network_sentence(pack),)) if pack.pad_networks else _ALWAYS_SEEN
    unseen = (_NETWORK if pack.pad_networks else _NO_NETWORK, matcher)
    return PackNotes(seen=_items(seen), unseen=_items(unseen), use=_use(pack, policy=chosen.policy))


def _network_sentence(pack: Pack) -> str:
    names = ", ".join(network.name for network in pack.pad_networks)
    return (
        "Prints and screens of the kinds that its networks for presentation attack detection (PAD) know: "
        f"{names}."
    )


def _use(pack: Pack, *, policy: str) -> str:
    if pack.evaluation_only:
        return (
            "The pack is for evaluation only and must not decide about people. The server of the demo allows "
            f"it (allow_evaluation_pack), under the policy {policy}, and every result states both."
        )
    return (
        "The terms of its files, below, and your own measurements decide whether the pack suits your purpose."
    )


def _items(sentences: tuple[str, ...]) -> Html:
    return joined(Html("<li>{}</li>").format(sentence) for sentence in sentences)
