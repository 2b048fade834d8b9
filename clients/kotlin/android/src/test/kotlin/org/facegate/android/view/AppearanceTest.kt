package org.facegate.android.view

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class AppearanceTest {
    private val refresh = 16_666_667L

    @Test
    fun `a colour appears when Android expects it`() {
        assertEquals(130, appearedNs(drawnNs = 100, expectedNs = 130, nextNs = 100 + refresh, refreshNs = refresh))
    }

    @Test
    fun `before Android 13 it appears two turns after it was drawn`() {
        assertEquals(100 + 2 * refresh, appearedNs(100, null, 100 + refresh, refresh))
    }

    @Test
    fun `it appears later if the next turn was late`() {
        assertEquals(130 + 2 * refresh, appearedNs(100, 130, 100 + 3 * refresh, refresh))
        assertEquals(100 + 3 * refresh, appearedNs(100, null, 100 + 2 * refresh, refresh))
    }

    @Test
    fun `a small delay of the next turn is none`() {
        assertEquals(130, appearedNs(100, 130, 100 + refresh + refresh / 3, refresh))
    }

    @Test
    fun `a colour slides in from the top at an even speed`() {
        val slide = Slide(front = 1, next = 2, fromNs = 1_000_000_000, scrollMs = 300)
        assertEquals(0f, slide.edge(1_000_000_000))
        assertEquals(0.5f, slide.edge(1_150_000_000), 1e-6f)
        assertEquals(1f, slide.edge(2_000_000_000))
        assertEquals(1f, Slide(front = 1, next = 2, fromNs = 0, scrollMs = 0).edge(0))
    }
}
