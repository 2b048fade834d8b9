package org.facegate.core.internal

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull
import org.facegate.core.InternalErrorException

private const val SCREEN_MS = 3000L
private const val CLEAN_UP_MS = 2000L

/**
 * Calls what the app gave the scan: not on the scan's thread, and for no longer than a limit. Code that does not return
 * is left behind with its thread.
 */
@OptIn(DelicateCoroutinesApi::class)
internal class AppCalls(workers: CoroutineDispatcher) {
    private val workers = CoroutineScope(workers)

    /** The calls of the screen, of which there are never two at once. */
    private val screen = CoroutineScope(workers.limitedParallelism(1))

    /**
     * Waits for the work, unless the caller is cancelled. Its exceptions reach the caller; an Error, and a cancellation
     * that is not the caller's, as [InternalErrorException].
     *
     * @param late What happens after the limit.
     * @param unclaimed Takes what comes when nobody waits for it any longer.
     */
    suspend fun <T> call(limitMs: Long, late: () -> T, unclaimed: (T) -> Unit = {}, work: suspend () -> T): T =
        workers.call(limitMs, late, unclaimed, work)

    /** Calls the screen. */
    suspend fun onScreen(work: () -> Unit): Unit =
        screen.call(SCREEN_MS, { throw InternalErrorException(IllegalStateException("the screen does not return")) }) { work() }

    /** Calls the screen soon, whatever comes of it. */
    fun onScreenLater(work: () -> Unit) {
        screen.launch(start = CoroutineStart.ATOMIC) { caught { work() } }
    }

    /** Waits a little until the calls of the screen are over. */
    suspend fun screenIsDone(): Unit = screen.call(CLEAN_UP_MS, { }) { }

    /** Waits a little for a step of the end, whatever comes of it. */
    suspend fun cleanUp(work: () -> Unit): Unit = workers.call(CLEAN_UP_MS, { }) { caught { work() } }

    private suspend fun <T> CoroutineScope.call(
        limitMs: Long,
        late: () -> T,
        unclaimed: (T) -> Unit = {},
        work: suspend () -> T,
    ): T {
        val answer = CompletableDeferred<Result<T>>()
        // Begun in any case, because some work gives something back.
        val working = launch(start = CoroutineStart.ATOMIC) {
            val result = caught { work() }
            if (!answer.complete(result)) result.onSuccess { caught { unclaimed(it) } }
        }
        try {
            val result = withTimeoutOrNull(limitMs) { answer.await() }
            return if (result == null) late() else result.getOrThrow()
        } finally {
            answer.cancel()
            working.cancel()
        }
    }
}

private inline fun <T> caught(work: () -> T): Result<T> = try {
    Result.success(work())
} catch (error: Throwable) {
    Result.failure(if (error is Exception && error !is CancellationException) error else InternalErrorException(error))
}
