package org.facegate.core.internal

import com.google.protobuf.InvalidProtocolBufferException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.channels.Channel
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

/** Messages of the server that wait to be read; a server that sends more at once breaks the protocol. */
private const val MOST_WAITING = 1024

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
    private val received = Channel<ScanFaceResponse>(MOST_WAITING)
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
        if (next.isSuccess) taken()
        else next.exceptionOrNull()?.let { throw it }
        return next.getOrNull()
    }

    /** A message was read: another one may come. */
    protected open fun taken() = Unit

    protected fun take(message: ScanFaceResponse) {
        if (received.trySend(message).isFailure) finish(ProtocolViolatedException("the server sends too many messages"))
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
        Refusal(status.code, it.reason, status.message, it.metadataMap.toMap(), retryMs)
    }
} catch (_: InvalidProtocolBufferException) {
    null
}

/** The exception of a refusal: a lost stream if a device reconnects after it by itself. */
internal fun refused(refusal: Refusal): Exception {
    val error = ServerRefusedException(refusal)
    return if (Texts.effectOf(refusal.reason) == "reconnect") {
        StreamLost(error.message.orEmpty(), refusal.retryAfterMs, error)
    } else {
        error
    }
}
