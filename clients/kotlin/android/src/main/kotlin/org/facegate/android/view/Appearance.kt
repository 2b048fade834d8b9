package org.facegate.android.view

/**
 * When a colour appeared that was drawn in one turn of the display's clock. Nanoseconds of `System.nanoTime`.
 *
 * @param drawnNs the time of the turn in which it was drawn.
 * @param expectedNs when Android expected to show it; null before Android 13: then two turns later, since one draws and
 *   the next composes.
 * @param nextNs the time of the next turn that came. If it is late, so was the drawing.
 */
internal fun appearedNs(drawnNs: Long, expectedNs: Long?, nextNs: Long, refreshNs: Long): Long {
    val shown = if (expectedNs != null && expectedNs >= drawnNs) expectedNs else drawnNs + 2 * refreshNs
    val missed = (nextNs - drawnNs + refreshNs / 2) / refreshNs - 1
    return shown + maxOf(0, missed) * refreshNs
}

/** The colours on the screen while one slides in from the top: [next] above [edge], a part of the height, [front] below. */
internal class Slide(val front: Int, val next: Int, private val fromNs: Long, private val scrollMs: Long) {
    fun edge(nowNs: Long): Float =
        if (scrollMs <= 0) 1f else ((nowNs - fromNs) / (scrollMs * 1_000_000f)).coerceIn(0f, 1f)
}
