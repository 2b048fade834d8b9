"""Scenarios of the screen: colours and ovals."""

from typing import Final

from facegate.v1 import feedback_pb2, scan_pb2

from cli.conformance.rules import Rule, Violation
from cli.conformance.scan import Scan, Scenario
from cli.conformance.strict_stream import Response, StrictStream

__all__ = ["SCREEN"]

_GREY: Final = (128, 128, 128)
_COLOURS: Final = ((200, 60, 60), (60, 90, 220))
_LEAST_SIDE: Final = 480
_MOST_FRAMES: Final = 60
_MOST_REQUESTS: Final = 3
_FLASHES: Final = frozenset({scan_pb2.CAPABILITY_FLASH})


def _step(number: int, colour: tuple[int, int, int], *, hold_ms: int, last: bool = False) -> Response:
    red, green, blue = colour
    step = scan_pb2.FlashStep(
        step=number,
        color=scan_pb2.Rgb(red=red, green=green, blue=blue),
        transition=scan_pb2.TRANSITION_FLAT,
        last=last,
    )
    step.minimum_hold.FromMilliseconds(hold_ms)
    return Response(flash_step=step)


async def _shown(stream: StrictStream, number: int) -> None:
    for _ in range(_MOST_FRAMES):
        if number in stream.flash.since_us:
            return
        await stream.receive_frames(1)
    raise Violation(Rule.FLASH, f"no frame of {_MOST_FRAMES} named step {number}")


async def _flash(scan: Scan) -> None:
    stream = await scan.open()
    await _colours(stream)
    await stream.send_result(scan_pb2.SCAN_STATUS_RETRY, another=True)
    # An attempt without a flash: the screen is normal again.
    await stream.begin_attempt()
    await stream.receive_frames(4)
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


async def _flash_after_doubt(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt()
    await stream.receive_frames(8)
    await stream.complete_capture()
    await stream.send_result(scan_pb2.SCAN_STATUS_RETRY, another=True)
    await _colours(stream)
    await stream.send_result()
    await stream.wait_for_half_close()


async def _colours(stream: StrictStream) -> None:
    """Runs an attempt with four colours up to its end."""
    await stream.begin_attempt(plan=scan_pb2.PLAN_FLASH)
    await stream.receive_frames(3)
    steps = (_GREY, *_COLOURS, _GREY)
    for number, colour in enumerate(steps, start=1):
        await stream.send(_step(number, colour, hold_ms=400, last=number == len(steps)))
        await _shown(stream, number)
        await stream.receive_frames(2)
    await stream.complete_capture()


async def _flash_fast(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt(plan=scan_pb2.PLAN_FLASH)
    await stream.receive_frames(2)
    for number, colour in enumerate((_GREY, *_COLOURS), start=1):
        await stream.send(_step(number, colour, hold_ms=50))
    await _shown(stream, 3)
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


async def _open_mouth(scan: Scan) -> None:
    stream = await scan.open()
    await stream.begin_attempt(plan=scan_pb2.PLAN_FLASH)
    await stream.receive_frames(2)
    steps = (_GREY, *_COLOURS, _GREY)
    last = len(steps)
    for number, colour in enumerate(steps, start=1):
        await stream.send(_step(number, colour, hold_ms=400, last=number == last))
        await _shown(stream, number)
    for _ in range(_MOST_REQUESTS):
        request = feedback_pb2.Feedback(code=feedback_pb2.FEEDBACK_CODE_OPEN_MOUTH)
        await stream.send(Response(feedback=request))
        await stream.receive_frames(8)
        if stream.flash.named != last:
            raise Violation(
                Rule.FLASH,
                f"a frame names step {stream.flash.named} while the mouth is to be opened; the last step, "
                f"{last}, stays on display until CaptureComplete",
            )
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


async def _movement(scan: Scan) -> None:
    stream = await scan.open()
    book = await stream.begin_attempt(plan=scan_pb2.PLAN_MOVEMENT)
    for change, width in enumerate((0.4, 0.7), start=1):
        oval = scan_pb2.Oval(center_x=0.5, center_y=0.5, width=width, height=width)
        message = scan_pb2.OvalChange(oval=oval, change=change)
        message.transition_duration.FromMilliseconds(300)
        await stream.send(Response(oval_change=message))
        await stream.receive_frames(4)
    if book.least_side < _LEAST_SIDE:
        raise Violation(
            Rule.FRAME_IMAGE,
            f"the shorter side of a frame has {book.least_side} pixels; a movement needs {_LEAST_SIDE}",
        )
    await stream.complete_capture()
    await stream.send_result()
    await stream.wait_for_half_close()


SCREEN: Final = (
    Scenario(
        name="flash",
        purpose="four colours are shown, in order",
        script=_flash,
        needs=_FLASHES,
    ),
    Scenario(
        name="flash-after-doubt",
        purpose="colours are shown in an attempt after one without them",
        script=_flash_after_doubt,
        needs=_FLASHES,
    ),
    Scenario(
        name="flash-fast",
        purpose="colours that come too fast are held",
        script=_flash_fast,
        needs=_FLASHES,
    ),
    Scenario(
        name="flash-open-mouth",
        purpose="the last colour stays until the mouth is opened",
        script=_open_mouth,
        needs=_FLASHES | {scan_pb2.CAPABILITY_OPEN_MOUTH},
    ),
    Scenario(
        name="movement",
        purpose="the oval moves twice",
        script=_movement,
        needs=frozenset({scan_pb2.CAPABILITY_OVAL_CHANGE}),
    ),
)
"""The scenarios of the screen."""
