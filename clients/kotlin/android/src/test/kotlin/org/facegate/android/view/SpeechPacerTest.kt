package org.facegate.android.view

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test

class SpeechPacerTest {
    private val pacer = SpeechPacer()

    @Test
    fun `the first hint is said at once, and of those that follow only the latest`() {
        assertEquals("closer", pacer.show("closer", 1000))
        assertNull(pacer.show("back", 1500))
        assertNull(pacer.show("still", 1600))
        assertEquals(3000, pacer.dueMs)
        assertEquals("still", pacer.due(3000))
        assertNull(pacer.dueMs)
    }

    @Test
    fun `the same hint is not said twice`() {
        pacer.show("closer", 0)
        assertNull(pacer.show("closer", 5000))
        assertNull(pacer.show("back", 1000))
        assertNull(pacer.show("closer", 1500))
        assertNull(pacer.due(2000))
    }
}
