"""Turns bytes into faces: bounded image decoding, detection, landmarks, alignment, packs and ONNX sessions.

``vision.image.decode_image`` decodes bytes within limits, ``vision.packs.load_pack`` loads models, and
``vision.face`` defines the types that the packages exchange. This package and ``vision.isolation`` export
nothing, because the isolated decoders import modules of them and must not load the model runtimes: other
rooms import each module by its name. ``vision.packs`` exports its public names.

For example, find the faces in an image and their templates::

    from vision.image import DecodeLimits, decode_image
    from formats.image_format import ImageFormat

    image = decode_image(
        upload,
        limits=DecodeLimits(max_bytes=5_000_000, max_pixels=12_000_000, max_side=6_000),
        formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG}),
        honour_exif_orientation=True,
    ).pixels
    for face in pack.detector.detect(image):
        template = pack.embedder.embed(image, face)
        print(face.box.width, template.shape)
"""
