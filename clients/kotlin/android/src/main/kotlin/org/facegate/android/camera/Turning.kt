package org.facegate.android.camera

import org.facegate.core.Size

/**
 * The clockwise turn that makes a frame upright, degrees.
 *
 * @param sensor `SENSOR_ORIENTATION`. Foldables change it when they are folded, so it is read again for each frame.
 * @param display how far the screen's content is turned against its natural orientation: 0, 90, 180 or 270, as
 *   `Display.getRotation` counts.
 * @param front whether the camera looks out of the screen.
 */
internal fun uprightTurn(sensor: Int, display: Int, front: Boolean): Int =
    Math.floorMod(if (front) sensor + display else sensor - display, 360)

/**
 * The 3 x 3 matrix, row by row, that corrects a preview in a `TextureView`. Android turns the camera's picture for the
 * screen's natural orientation, stretches it over the view, and mirrors that of a front camera; it does not know how
 * the screen is turned.
 *
 * @param width width of the view, which has the shape of the upright picture, pixels.
 * @param height height of the view, pixels.
 * @param display the screen's turn, degrees.
 */
internal fun previewMatrix(width: Float, height: Float, display: Int): FloatArray {
    val (x, y) = width / 2 to height / 2
    // The stretched picture lies on its side in the view at a quarter turn.
    val (along, across) = if (display % 180 == 0) 1f to 1f else height / width to width / height
    return when (display) {
        90 -> floatArrayOf(0f, across, x - across * y, -along, 0f, y + along * x, 0f, 0f, 1f)
        180 -> floatArrayOf(-1f, 0f, width, 0f, -1f, height, 0f, 0f, 1f)
        270 -> floatArrayOf(0f, -across, x + across * y, along, 0f, y - along * x, 0f, 0f, 1f)
        else -> floatArrayOf(1f, 0f, 0f, 0f, 1f, 0f, 0f, 0f, 1f)
    }
}

/** How a camera's pictures lie in its frames and in the preview. */
internal data class PreviewForm(
    /** Size of the upright pictures, pixels. */
    val upright: Size,
    /** The clockwise turn that makes a frame upright, degrees. */
    val frameTurn: Int,
    /** What [previewMatrix] takes as the screen's turn. */
    val viewTurn: Int,
    /** Whether the view has to mirror the picture, because Android does not. */
    val flips: Boolean,
)

/**
 * The form of a camera's pictures.
 *
 * @param mounted a clockwise turn of a camera that is mounted turned. An external camera stands still when the screen is
 *   turned, and Android neither turns nor mirrors its preview.
 */
internal fun previewForm(
    direction: Direction,
    sensor: Int,
    display: Int,
    mounted: Int,
    width: Int,
    height: Int,
): PreviewForm {
    val external = direction == Direction.EXTERNAL
    val frameTurn = if (external) mounted else (uprightTurn(sensor, display, direction == Direction.FRONT) + mounted) % 360
    val upright = if (frameTurn % 180 == 0) Size(width, height) else Size(height, width)
    // In a mirrored picture a turn goes the other way.
    val viewTurn = if (external) (360 - mounted) % 360 else (display + mounted) % 360
    return PreviewForm(upright, frameTurn, viewTurn, flips = external)
}
