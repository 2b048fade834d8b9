package org.facegate.core.internal

import com.google.protobuf.InvalidProtocolBufferException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.yield
import org.facegate.core.ConnectionFailedException
import org.facegate.core.FacegateException
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.Refusal
import org.facegate.core.ServerRefusedException
import org.facegate.core.Texts
import org.facegate.core.internal.status.ErrorInfo
import org.facegate.core.internal.status.RetryInfo
import org.facegate.core.internal.status.Status
import org.facegate.v1.ScanFaceRequest
import org.facegate.v1.ScanFaceResponse
import java.util.concurrent.atomic.AtomicInteger

/** Messages of the server that wait to be read; a server that sends more at once breaks the protocol. */
private const val MOST_WAITING = 1024
private const val MOST_WAITING_BYTES = 4 * 1024 * 1024

private const val LONGEST_WORDS = 300
private const val LONGEST_REASON = 64
private const val MOST_METADATA = 16

private const val DOMAIN = "facegate.org"

/** One stream of a scan was lost; the scan reconnects, and fails with [last] if no reconnect is left. */
internal class StreamLost(
    message: String,
    val retryAfterMs: Long = 0,
    last: FacegateException? = null,
) : Exception(message) {
    val last: FacegateException = last ?: ConnectionFailedException(message)
}

/** The bidirectional stream of one call of ScanFace. Used by one coroutine at a time, except for [drop]. */
internal abstract class Wire {
    private class Received(val message: ScanFaceResponse, val bytes: Int)

    private val received = Channel<Received>(MOST_WAITING)
    private val waitingBytes = AtomicInteger()
    protected val opened: CompletableDeferred<Unit> = CompletableDeferred()

    /** SHA-256 of the key of the certificate that the server presented; empty without TLS and by WebSocket. */
    abstract val serverSpkiSha256: ByteArray

    /** Whether an earlier message has not left the device yet. */
    abstract val busy: Boolean

    /** Waits until the connection is made, and throws why it is not. */
    suspend fun open() = opened.await()

    /** Sends a message; nothing happens once the stream is over, because the reader gets the reason. */
    abstract fun send(message: ScanFaceRequest)

    abstract fun halfClose()

    /** Ends the stream at once, as if it were lost. From any thread. */
    abstract fun drop()

    /** Waits for the next message; null if the server ended the stream with OK. Throws if it ended otherwise. */
    suspend fun receive(): ScanFaceResponse? {
        val next = received.receiveCatching()
        next.exceptionOrNull()?.let { throw it }
        val message = next.getOrNull() ?: return null
        waitingBytes.addAndGet(-message.bytes)
        taken()
        // A server that sends without end shall not keep the scan's thread.
        yield()
        return message.message
    }

    /** A message was read: another one may come. */
    protected open fun taken() = Unit

    /** Takes a message of the server; false if it breaks the protocol. */
    protected fun take(bytes: ByteArray): Boolean {
        val problem = try {
            if (bytes.size > MOST_MESSAGE_BYTES) throw InvalidProtocolBufferException("too long")
            val message = ScanFaceResponse.parseFrom(bytes)
            val fits = waitingBytes.addAndGet(bytes.size) <= MOST_WAITING_BYTES
            if (fits && received.trySend(Received(message, bytes.size)).isSuccess) return true
            "the server sends too many messages"
        } catch (_: InvalidProtocolBufferException) {
            "a message of the server cannot be read"
        }
        finish(ProtocolViolatedException(problem))
        return false
    }

    /** Ends the stream, with the reason unless the server ended it with OK. */
    protected fun finish(reason: Exception?) {
        opened.completeExceptionally(reason ?: StreamLost("the server closed the stream at once"))
        received.close(reason)
    }
}

/** Reads a `google.rpc.Status`. Null if it is not a refusal by a Facegate server. */
internal fun refusalOf(bytes: ByteArray): Refusal? = try {
    val status = Status.parseFrom(bytes)
    var info: ErrorInfo? = null
    var retryMs = 0L
    for (detail in status.detailsList) {
        when (detail.typeUrl.substringAfterLast('/')) {
            "google.rpc.ErrorInfo" -> info = ErrorInfo.parseFrom(detail.value)
            "google.rpc.RetryInfo" -> retryMs = RetryInfo.parseFrom(detail.value).retryDelay.milliseconds
        }
    }
    info?.takeIf { it.domain == DOMAIN }?.let {
        refusal(status.code, it.reason, status.message, it.metadataMap, retryMs)
    }
} catch (_: InvalidProtocolBufferException) {
    null
}

/** A refusal whose words can be logged and shown. */
internal fun refusal(code: Int, reason: String, message: String, metadata: Map<String, String>, retryMs: Long) = Refusal(
    code,
    plain(reason, LONGEST_REASON),
    plain(message),
    metadata.entries.take(MOST_METADATA).associate { plain(it.key) to plain(it.value) },
    retryMs.coerceAtLeast(0),
)

/** Another side's words without what hides, turns or breaks lines, and not too many of them. */
internal fun plain(words: String, most: Int = LONGEST_WORDS): String = buildString {
    for (sign in words.take(most)) {
        append(if (sign.isISOControl() || sign.isSurrogate() || sign.category in HIDDEN) ' ' else sign)
    }
}

private val HIDDEN =
    setOf(CharCategory.FORMAT, CharCategory.LINE_SEPARATOR, CharCategory.PARAGRAPH_SEPARATOR, CharCategory.UNASSIGNED)

/** The exception of a refusal: a lost stream if a device reconnects after it by itself. */
internal fun refused(refusal: Refusal): Exception {
    val error = ServerRefusedException(refusal)
    return if (Texts.effectOf(refusal.reason) == "reconnect") {
        StreamLost(error.message.orEmpty(), refusal.retryAfterMs, error)
    } else {
        error
    }
}
