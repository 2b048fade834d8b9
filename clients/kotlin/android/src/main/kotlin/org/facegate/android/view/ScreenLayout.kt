package org.facegate.android.view

import org.facegate.core.Oval
import org.facegate.core.Size

/** A place on the screen, pixels. */
internal data class Place(val left: Float, val top: Float, val right: Float, val bottom: Float) {
    val width: Float get() = right - left
    val height: Float get() = bottom - top
}

/** The oval at rest, until the server states one, in fractions of the field. */
internal val REST = Oval(0.5f, 0.46f, 0.62f, 0.66f)

/** Ovals are in fractions of the middle of a frame that is wider than this. */
private const val BROADEST_FIELD = 4f / 5

/** The largest place in the shape of a frame, in the middle of the screen. */
internal fun stage(width: Float, height: Float, frame: Size): Place {
    val ratio = frame.width.toFloat() / frame.height
    val fitting = minOf(width, height * ratio)
    val (left, top) = (width - fitting) / 2 to (height - fitting / ratio) / 2
    return Place(left, top, left + fitting, top + fitting / ratio)
}

/** Where an oval lies on the screen, whose picture is mirrored, as people know it. */
internal fun Place.around(oval: Oval): Place {
    val field = minOf(width, BROADEST_FIELD * height)
    val x = (width - field) / 2 + oval.centerX * field
    val centre = right - x
    val middle = top + oval.centerY * height
    val (across, along) = oval.width * field / 2 to oval.height * height / 2
    return Place(centre - across, middle - along, centre + across, middle + along)
}

/** A place on the way to another. */
internal fun Place.towards(other: Place, part: Float): Place = Place(
    left + (other.left - left) * part,
    top + (other.top - top) * part,
    right + (other.right - right) * part,
    bottom + (other.bottom - bottom) * part,
)

/** Whether texts stand beside the oval, because the screen is low and broad. */
internal fun standsBeside(widthDp: Float, heightDp: Float): Boolean = heightDp < 560 && widthDp >= heightDp * 3 / 2
