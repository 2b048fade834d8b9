"""The screen flash on the demo's page: what was filmed, what was shown, what the face answered.

``tape`` keeps what a phone films and shows, ``measure`` measures the frames again, ``strip`` puts together
what one scan has to show, ``picture`` draws it once, ``svg`` and ``png`` give that drawing to a page and to a
file.
"""

from cli.demo.flash.picture import file_picture, page_picture
from cli.demo.flash.png import png
from cli.demo.flash.strip import FlashStrip, flash_strip
from cli.demo.flash.svg import svg
from cli.demo.flash.tape import TapedPhone

__all__ = ["FlashStrip", "TapedPhone", "file_picture", "flash_strip", "page_picture", "png", "svg"]
