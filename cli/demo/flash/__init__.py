"""The screen flash on the demo's page: the frames, the colours, and the response of the face.

``tape`` records the frames and colours of a phone, ``measure`` measures the frames again, ``strip`` combines
the data of one scan, ``picture`` draws it, ``svg`` and ``png`` render the drawing for a page and for a
file.
"""

from cli.demo.flash.picture import file_picture, page_picture
from cli.demo.flash.png import png
from cli.demo.flash.strip import FlashStrip, flash_strip
from cli.demo.flash.svg import svg
from cli.demo.flash.tape import TapedPhone

__all__ = ["FlashStrip", "TapedPhone", "file_picture", "flash_strip", "page_picture", "png", "svg"]
