package org.facegate.android.picture

/**
 * Scales a picture down to an even size. To less than half, it is halved first, so that every pixel of the camera
 * counts: a scaling that leaves out pixels changes the noise, and the server measures the noise.
 */
internal fun Nv21.scaledTo(toWidth: Int, toHeight: Int): Nv21 {
    require(toWidth <= width && toHeight <= height) { "a picture is never enlarged" }
    if (toWidth == width && toHeight == height) return this
    var from = this
    while (from.width >= 2 * toWidth && from.height >= 2 * toHeight && from.width % 4 == 0 && from.height % 4 == 0) {
        from = from.halved()
    }
    if (toWidth == from.width && toHeight == from.height) return from
    val into = ByteArray(Nv21.size(toWidth, toHeight))
    interpolate(from.bytes, 0, from.width, from.height, 1, into, 0, toWidth, toHeight)
    for (part in 0..1) {
        val source = from.width * from.height + part
        val target = toWidth * toHeight + part
        interpolate(from.bytes, source, from.width / 2, from.height / 2, 2, into, target, toWidth / 2, toHeight / 2)
    }
    return Nv21(toWidth, toHeight, into)
}

private fun Nv21.halved(): Nv21 {
    val into = ByteArray(Nv21.size(width / 2, height / 2))
    halve(bytes, 0, width, height, 1, into, 0)
    for (part in 0..1) halve(bytes, width * height + part, width / 2, height / 2, 2, into, width * height / 4 + part)
    return Nv21(width / 2, height / 2, into)
}

private fun halve(from: ByteArray, at: Int, width: Int, height: Int, step: Int, into: ByteArray, to: Int) {
    var target = to
    for (row in 0 until height / 2) {
        var source = at + 2 * row * width * step
        val below = width * step
        for (column in 0 until width / 2) {
            val sum = (from[source].toInt() and 0xff) + (from[source + step].toInt() and 0xff) +
                (from[source + below].toInt() and 0xff) + (from[source + below + step].toInt() and 0xff)
            into[target] = ((sum + 2) shr 2).toByte()
            source += 2 * step
            target += step
        }
    }
}

/** Bilinear, with pixel centres in place; positions are fractions of 1/256. */
private fun interpolate(
    from: ByteArray,
    at: Int,
    width: Int,
    height: Int,
    step: Int,
    into: ByteArray,
    to: Int,
    toWidth: Int,
    toHeight: Int,
) {
    var target = to
    val columns = IntArray(toWidth) { position(it, width, toWidth) }
    for (row in 0 until toHeight) {
        val line = position(row, height, toHeight)
        val upper = at + (line shr 8) * width * step
        val lower = at + minOf((line shr 8) + 1, height - 1) * width * step
        val down = line and 0xff
        for (column in columns) {
            val left = (column shr 8) * step
            val right = minOf((column shr 8) + 1, width - 1) * step
            val across = column and 0xff
            val above = mix(from[upper + left], from[upper + right], across)
            val below = mix(from[lower + left], from[lower + right], across)
            into[target] = ((above * (256 - down) + below * down + 0x8000) shr 16).toByte()
            target += step
        }
    }
}

private fun position(index: Int, size: Int, toSize: Int): Int =
    (((2L * index + 1) * size * 128 / toSize) - 128).toInt().coerceIn(0, (size - 1) shl 8)

private fun mix(first: Byte, second: Byte, part: Int): Int =
    (first.toInt() and 0xff) * (256 - part) + (second.toInt() and 0xff) * part
