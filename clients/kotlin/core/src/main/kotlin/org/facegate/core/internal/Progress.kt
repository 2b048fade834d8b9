package org.facegate.core.internal

import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.MutableStateFlow
import org.facegate.core.Clock
import org.facegate.core.ScanState
import kotlin.math.max

private const val TICK_MS = 1000L

/** The state that the app sees, which is never older than a second. */
internal class Progress(private val clock: Clock) {
    private var sinceUs = 0L

    /** Ticks since then, which go on if the app's clock stands still or goes back. */
    private var ticks = 0

    val flow: MutableStateFlow<ScanState> = MutableStateFlow(ScanState.Idle)

    /** The scan does something else from now on. */
    fun enter(state: ScanState) {
        sinceUs = clock.nowUs()
        ticks = 0
        flow.value = state
    }

    /** The scan does the same; something about it changed. */
    fun update(change: (ScanState.Capturing) -> ScanState.Capturing) {
        val now = flow.value as? ScanState.Capturing ?: return
        flow.value = change(now).after(elapsedMs)
    }

    suspend fun tick() {
        while (true) {
            delay(TICK_MS)
            ticks += 1
            flow.value = flow.value.after(elapsedMs)
        }
    }

    private val elapsedMs: Long get() = max((clock.nowUs() - sinceUs) / 1000, ticks * TICK_MS)
}
