package org.facegate.android.view

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path
import android.graphics.RectF
import android.view.Choreographer
import android.view.View
import org.facegate.android.NewerAndroid

/**
 * Everything around the oval: the light that fills the screen, the oval's ring and the progress on it. Within the oval
 * the camera's picture, which lies below, shines through.
 */
internal class LightView(context: Context) : View(context) {
    private val fill = Paint()
    private val dim = Paint()
    private val ring = Paint(Paint.ANTI_ALIAS_FLAG).apply { style = Paint.Style.STROKE }
    private val outside = Path()
    private val box = RectF()
    private val density = resources.displayMetrics.density

    private var slide: Slide? = null
    private var oval: Place? = null
    private var from: Place? = null
    private var moveNs = 0L
    private var movedAtNs = 0L
    private var progress = 0f

    init {
        importantForAccessibility = IMPORTANT_FOR_ACCESSIBILITY_NO
    }

    /** Whether colours fill the screen. */
    val flashing: Boolean get() = slide != null

    /** Moves the oval there within a time. */
    fun moveOval(to: Place, ms: Long) {
        if (to == oval) return
        from = shownOval(System.nanoTime()) ?: to
        oval = to
        moveNs = ms * NS_IN_MS
        movedAtNs = System.nanoTime()
        invalidate()
    }

    /** Shows the part that is done, 0 to 1. */
    fun progress(part: Float) {
        progress = part
        invalidate()
    }

    /** Fills the screen with a colour; calls [appeared] with the time at which it appeared. */
    fun show(argb: Int, scrollMs: Long, refreshNs: Long, appeared: (shownNs: Long) -> Unit) {
        val choreographer = Choreographer.getInstance()
        fun draw(frameNs: Long, expectedNs: Long?) {
            slide = Slide(slide?.next ?: SURFACE, argb, frameNs, scrollMs)
            invalidate()
            choreographer.postFrameCallback { nextNs -> appeared(appearedNs(frameNs, expectedNs, nextNs, refreshNs)) }
        }
        NewerAndroid.atNextTurn(choreographer, ::draw)
    }

    /** The screen returns to normal. */
    fun restore() {
        slide = null
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val now = System.nanoTime()
        val shown = shownOval(now)
        outside.rewind()
        outside.fillType = Path.FillType.EVEN_ODD
        outside.addRect(0f, 0f, width.toFloat(), height.toFloat(), Path.Direction.CW)
        if (shown != null) {
            box.set(shown.left, shown.top, shown.right, shown.bottom)
            outside.addOval(box, Path.Direction.CW)
        }
        val colours = slide
        val edge = (colours?.edge(now) ?: 1f) * height
        paint(canvas, 0f, edge, colours?.next ?: SURFACE)
        if (edge < height) paint(canvas, edge, height.toFloat(), colours?.front ?: SURFACE)
        if (shown != null) drawRing(canvas)
        if (edge < height || (moveNs > 0 && now - movedAtNs < moveNs)) postInvalidateOnAnimation()
    }

    /** A part of the height in one colour, through which the picture is seen in the oval, dimly if it is a flash. */
    private fun paint(canvas: Canvas, top: Float, bottom: Float, argb: Int) {
        canvas.save()
        canvas.clipRect(0f, top, width.toFloat(), bottom)
        fill.color = argb
        canvas.drawPath(outside, fill)
        if (flashing) {
            dim.color = argb
            dim.alpha = DIM
            canvas.drawOval(box, dim)
        }
        canvas.restore()
    }

    private fun drawRing(canvas: Canvas) {
        ring.color = if (flashing) DARK else TRACK
        ring.strokeWidth = 4 * density
        canvas.drawOval(box, ring)
        if (progress <= 0) return
        ring.color = GOOD
        ring.strokeWidth = 7 * density
        canvas.drawArc(box, START_ANGLE, 360 * progress, false, ring)
    }

    private fun shownOval(nowNs: Long): Place? {
        val (start, end) = from to oval
        if (start == null || end == null || moveNs <= 0) return end
        return start.towards(end, ((nowNs - movedAtNs) / moveNs.toFloat()).coerceIn(0f, 1f))
    }

    companion object {
        /** The screen at rest lights up the face; there is no red in it. */
        const val SURFACE = 0xffffffff.toInt()
        const val DARK = 0xff14202b.toInt()
        const val TRACK = 0xff8796a5.toInt()
        const val GOOD = 0xff1d7a3e.toInt()
        private const val DIM = 178
        private const val START_ANGLE = -90f
        private const val NS_IN_MS = 1_000_000L
    }
}
