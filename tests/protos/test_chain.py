import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegate_protocol import MAC_BYTES, MacChain

KEY, BINDING, NONCE = b"k" * 32, b"h" * 32, b"n" * 16

Frame = tuple[bytes, bytes]
frames = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=40)), min_size=2, max_size=8)


def _chain(*, key: bytes = KEY, binding: bytes = BINDING, attempt: int = 1, nonce: bytes = NONCE) -> MacChain:
    chain = MacChain(key=key, binding=binding)
    chain.mark_attempt(attempt=attempt, nonce=nonce)
    return chain


def _sent(content: list[Frame], *, binding: bytes = BINDING) -> list[tuple[bytes, bytes, bytes]]:
    sender = _chain(binding=binding)
    return [(header, image, sender.add_frame(header=header, image=image)) for header, image in content]


def _accepted(received: list[tuple[bytes, bytes, bytes]], receiver: MacChain | None = None) -> int:
    chain = receiver or _chain()
    for count, (header, image, mac) in enumerate(received):
        if not chain.accept_frame(header=header, image=image, mac=mac):
            return count
    return len(received)


@given(frames)
def test_a_sent_chain_is_accepted(content: list[Frame]) -> None:
    assert _accepted(_sent(content)) == len(content)


@given(frames, st.data())
def test_any_changed_bit_is_detected_at_its_frame(content: list[Frame], data: st.DataObject) -> None:
    sent = _sent(content)
    place = data.draw(st.integers(0, len(sent) - 1))
    part = data.draw(st.integers(0, 2).filter(lambda part: len(sent[place][part]) > 0))
    field = bytearray(sent[place][part])
    bit = data.draw(st.integers(0, len(field) * 8 - 1))
    field[bit // 8] ^= 1 << (bit % 8)
    changed = list(sent[place])
    changed[part] = bytes(field)
    sent[place] = (changed[0], changed[1], changed[2])
    assert _accepted(sent) == place


@given(frames, st.data())
def test_dropped_frame_is_detected_at_the_next(content: list[Frame], data: st.DataObject) -> None:
    sent = _sent(content)
    place = data.draw(st.integers(0, len(sent) - 2))
    del sent[place]
    assert _accepted(sent) == place


@given(frames, st.data())
def test_swapped_frames_are_detected(content: list[Frame], data: st.DataObject) -> None:
    sent = _sent(content)
    first = data.draw(st.integers(0, len(sent) - 2))
    second = data.draw(st.integers(first + 1, len(sent) - 1))
    sent[first], sent[second] = sent[second], sent[first]
    assert _accepted(sent) == first


@given(frames, st.data())
def test_repeated_frame_is_detected(content: list[Frame], data: st.DataObject) -> None:
    sent = _sent(content)
    source = data.draw(st.integers(0, len(sent) - 1))
    place = data.draw(st.integers(source + 1, len(sent)))
    sent.insert(place, sent[source])
    assert _accepted(sent) == place


@given(frames, st.data())
def test_splice_from_another_stream_is_detected(content: list[Frame], data: st.DataObject) -> None:
    sent, other = _sent(content), _sent(content, binding=b"o" * 32)
    place = data.draw(st.integers(0, len(sent) - 1))
    assert _accepted(sent[:place] + other[place:]) == place


@given(frames)
def test_border_between_header_and_image_cannot_move(content: list[Frame]) -> None:
    header, image, mac = _sent(content)[0]
    if image:
        assert _accepted([(header + image[:1], image[1:], mac)]) == 0


def test_frames_of_another_key_binding_attempt_or_nonce_are_refused() -> None:
    sent = _sent([(b"header", b"image")])
    assert _accepted(sent, _chain()) == 1
    assert _accepted(sent, _chain(key=b"x" * 32)) == 0
    assert _accepted(sent, _chain(binding=b"x" * 32)) == 0
    assert _accepted(sent, _chain(attempt=2)) == 0
    assert _accepted(sent, _chain(nonce=b"x" * 16)) == 0
    assert _accepted(sent, MacChain(key=KEY, binding=BINDING)) == 0


def test_refused_frame_leaves_the_chain_as_it_was() -> None:
    sent = _sent([(b"0", b"a"), (b"1", b"b")])
    chain = _chain()
    before = chain.value
    assert not chain.accept_frame(header=b"0", image=b"forged", mac=sent[0][2])
    assert chain.value == before
    assert _accepted(sent, chain) == 2


@pytest.mark.parametrize("mac", [b"", b"\x00", bytes(31), bytes(33), bytes(1000)])
def test_mac_of_another_length_is_refused(mac: bytes) -> None:
    assert not _chain().accept_frame(header=b"h", image=b"i", mac=mac)


@given(frames)
def test_chain_runs_on_over_attempts(content: list[Frame]) -> None:
    sender, receiver = _chain(), _chain()
    first = [(h, i, sender.add_frame(header=h, image=i)) for h, i in content]
    sender.mark_attempt(attempt=2, nonce=b"m" * 16)
    second = [(h, i, sender.add_frame(header=h, image=i)) for h, i in content]
    assert _accepted(first, receiver) == len(content)
    assert _accepted(second, receiver) == 0
    receiver.mark_attempt(attempt=2, nonce=b"m" * 16)
    assert _accepted(second, receiver) == len(content)
    assert receiver.value == sender.value == second[-1][2]
    assert len(receiver.value) == MAC_BYTES


def test_markers_of_different_attempts_differ() -> None:
    marks = {
        MacChain(key=KEY, binding=BINDING).mark_attempt(attempt=attempt, nonce=nonce)
        for attempt in (1, 2, 256, 65536)
        for nonce in (NONCE, b"m" * 16)
    }
    assert len(marks) == 8
