package org.facegate.core.internal

import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.test.runTest
import org.facegate.core.Clock
import org.facegate.core.ScanState
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class ProgressTest {
    @Test
    fun `a state comes each second though the clock of the app stands still or goes back`() {
        for (clock in listOf(Clock { 7 }, object : Clock { var left = 9_000_000L; override fun nowUs() = left.also { left -= 5000 } })) {
            runTest {
                val progress = Progress(clock)
                val times = ArrayList<Long>()
                backgroundScope.launch { progress.tick() }
                backgroundScope.launch { progress.flow.collect { times += it.forMs } }
                progress.enter(ScanState.Connecting())
                delay(3500)
                assertEquals(listOf(0L, 1000, 2000, 3000), times)
            }
        }
    }
}
