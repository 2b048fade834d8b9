package org.facegate.android.camera

import kotlin.math.roundToInt
import org.facegate.core.Size
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class TurningTest {
    @Test
    fun `a phone's front camera lies at 270 degrees`() {
        assertEquals(270, uprightTurn(sensor = 270, display = 0, front = true))
        // Turned to its left side, the phone's sensor stands upright.
        assertEquals(0, uprightTurn(sensor = 270, display = 90, front = true))
        assertEquals(90, uprightTurn(sensor = 270, display = 180, front = true))
        assertEquals(180, uprightTurn(sensor = 270, display = 270, front = true))
    }

    @Test
    fun `a back camera turns the other way`() {
        assertEquals(90, uprightTurn(sensor = 90, display = 0, front = false))
        assertEquals(0, uprightTurn(sensor = 90, display = 90, front = false))
        assertEquals(180, uprightTurn(sensor = 90, display = 270, front = false))
    }

    @Test
    fun `a tablet or a kiosk may hold its sensor upright`() {
        assertEquals(0, uprightTurn(sensor = 0, display = 0, front = true))
        assertEquals(90, uprightTurn(sensor = 0, display = 90, front = true))
    }

    @Test
    fun `a turned screen's preview stands upright and fills the view`() {
        // In a view of 400 x 300, Android stretches the picture as it is in the natural orientation: what belongs to the
        // top left corner of the upright picture lies in another corner of the view.
        assertEquals(listOf(0 to 300, 0 to 0, 400 to 0, 400 to 300), corners(400f, 300f, 90))
        assertEquals(listOf(400 to 0, 400 to 300, 0 to 300, 0 to 0), corners(400f, 300f, 270))
        assertEquals(listOf(400 to 300, 0 to 300, 0 to 0, 400 to 0), corners(400f, 300f, 180))
        assertEquals(listOf(0 to 0, 400 to 0, 400 to 300, 0 to 300), corners(400f, 300f, 0))
    }

    @Test
    fun `a phone that is turned or unfolded gives pictures of another form`() {
        val held = previewForm(Direction.FRONT, sensor = 270, display = 0, mounted = 0, width = 640, height = 480)
        assertEquals(PreviewForm(Size(480, 640), frameTurn = 270, viewTurn = 0, flips = false), held)
        val lying = previewForm(Direction.FRONT, sensor = 270, display = 90, mounted = 0, width = 640, height = 480)
        assertEquals(PreviewForm(Size(640, 480), frameTurn = 0, viewTurn = 90, flips = false), lying)
    }

    @Test
    fun `a kiosk's camera at a cable stands still, is turned as it is mounted, and mirrored by the view`() {
        val upright = previewForm(Direction.EXTERNAL, sensor = 0, display = 270, mounted = 0, width = 640, height = 480)
        assertEquals(PreviewForm(Size(640, 480), frameTurn = 0, viewTurn = 0, flips = true), upright)
        val turned = previewForm(Direction.EXTERNAL, sensor = 0, display = 0, mounted = 90, width = 640, height = 480)
        assertEquals(PreviewForm(Size(480, 640), frameTurn = 90, viewTurn = 270, flips = true), turned)
    }

    /** Where the view's corners go: top left, top right, bottom right, bottom left. */
    private fun corners(width: Float, height: Float, display: Int): List<Pair<Int, Int>> {
        val m = previewMatrix(width, height, display)
        return listOf(0f to 0f, width to 0f, width to height, 0f to height).map { (x, y) ->
            (m[0] * x + m[1] * y + m[2]).roundToInt() to (m[3] * x + m[4] * y + m[5]).roundToInt()
        }
    }
}
