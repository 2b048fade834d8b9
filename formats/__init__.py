"""Reads and writes what several rooms share: ASN.1, headers and metadata of images, private files.

The ground room: it imports no other, and every other may import it. Every reader takes hostile bytes: it
tests sizes first and raises a ``FormatError``, which the room that calls it turns into its own error. Only
``formats.private_files`` does input or output, and only ``formats.extras`` reads what is installed. This
package exports nothing: import each module by its name, so that an isolated decoder loads no more than it
needs.
"""
