package org.facegate.android.camera

/**
 * The clockwise turn that makes a frame upright, degrees.
 *
 * @param sensor `SENSOR_ORIENTATION`. Foldables change it when they are folded, so it is read again for each frame.
 * @param display how far the screen's content is turned against its natural orientation: 0, 90, 180 or 270, as
 *   `Display.getRotation` counts.
 * @param front whether the camera looks out of the screen. External cameras stand still when a screen turns: pass 0 for
 *   both.
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
