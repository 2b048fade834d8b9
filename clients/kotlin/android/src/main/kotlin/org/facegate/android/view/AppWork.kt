package org.facegate.android.view

import java.io.IOException
import kotlin.coroutines.resume
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.suspendCancellableCoroutine
import kotlinx.coroutines.withTimeoutOrNull
import org.facegate.android.TicketSource
import org.facegate.core.ScanTicket

/** A backend that does not answer shall not keep the person waiting. */
private const val TICKET_MS = 20_000L

/** The app's ticket, which it gets on a thread that it may block. Throws whatever it throws, as an Exception that is no cancellation. */
internal suspend fun TicketSource.soon(threads: CoroutineDispatcher): ScanTicket {
    val answer = CompletableDeferred<Result<ScanTicket>>()
    val working = CoroutineScope(threads).launch {
        answer.complete(
            try {
                Result.success(ticket())
            } catch (problem: Throwable) {
                val plain = problem is Exception && problem !is CancellationException
                Result.failure(if (plain) problem else IllegalStateException("the ticket's source ended with $problem", problem))
            },
        )
    }
    try {
        val result = withTimeoutOrNull(TICKET_MS) { answer.await() }
        return (result ?: throw IOException("no ticket came within ${TICKET_MS / 1000} s")).getOrThrow()
    } finally {
        working.cancel()
    }
}

/** Hands states over on another thread, each once the one before it was taken. States that came meanwhile are left out. */
internal suspend fun <T> StateFlow<T>.handOver(post: (() -> Unit) -> Unit, take: (T) -> Unit): Nothing = collect { state ->
    suspendCancellableCoroutine { taken ->
        post {
            take(state)
            taken.resume(Unit)
        }
    }
}
