"""The screen flash on the demo's page: the frames, the colours, and the response of the face.

``tape`` records the frames and colours of a phone, ``measure`` measures the frames again, ``strip`` combines
the data of one scan, ``picture`` places them for the template that draws them.
"""

from cli.demo.flash.picture import strip_picture
from cli.demo.flash.strip import FlashStrip, flash_strip
from cli.demo.flash.tape import TapedPhone

__all__ = ["FlashStrip", "TapedPhone", "flash_strip", "strip_picture"]
