package org.facegate.core.internal

import com.google.gson.JsonObject
import com.google.gson.JsonParser
import okhttp3.Interceptor
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import okhttp3.WebSocket
import okhttp3.WebSocketListener
import okio.ByteString
import okio.ByteString.Companion.toByteString
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.Refusal
import org.facegate.core.ScanOptions
import org.facegate.core.ServerAddress
import org.facegate.core.isLoopback
import org.facegate.v1.ScanFaceRequest
import java.net.Proxy
import java.net.URI
import java.util.concurrent.TimeUnit

private const val SUBPROTOCOL = "facegate.v1"
private const val OK = 1000

/** The close code of a refusal is this number plus its gRPC status. */
private const val REFUSED = 4000
private const val CONNECT_SECONDS = 10L
private const val PING_SECONDS = 10L
private const val EXTENSIONS = "Sec-WebSocket-Extensions"
private const val LONGEST_REFUSAL = 16 * 1024

/** The frames, pings and answers around a message, and what of the next one came with it. */
private const val OVERHEAD_BYTES = 64 * 1024

/** A stream over WebSocket, on a connection of its own. */
internal class WebSocketWire(address: ServerAddress.WebSocket, options: ScanOptions) : Wire() {
    private val inflow = Inflow(MOST_MESSAGE_BYTES + OVERHEAD_BYTES) {
        finish(ProtocolViolatedException("a message of the server is too long"))
    }
    private val client = OkHttpClient.Builder()
        .connectTimeout(CONNECT_SECONDS, TimeUnit.SECONDS)
        .readTimeout(CONNECT_SECONDS, TimeUnit.SECONDS)
        .pingInterval(PING_SECONDS, TimeUnit.SECONDS)
        // The token goes to this server, and to no other that it names.
        .followRedirects(false)
        .addInterceptor(::uncompressed)
        .socketFactory(BoundedSockets(inflow))
        // Nothing on this device is behind the proxy of its network.
        .apply { if (isLoopback(URI(address.url).host)) proxy(Proxy.NO_PROXY) }
        .apply { options.tls?.let { sslSocketFactory(it, checkNotNull(options.trust)) } }
        .build()
        .let { it.newBuilder().sslSocketFactory(BoundedTls(it.sslSocketFactory, inflow), checkNotNull(it.x509TrustManager)).build() }
    private val socket: WebSocket

    @Volatile
    private var refusal: Refusal? = null

    override val serverSpkiSha256: ByteArray = ByteArray(0)

    override val busy: Boolean get() = socket.queueSize() > 0

    init {
        val request = Request.Builder()
            .url("${address.url.trimEnd('/')}/$SCAN_METHOD")
            .header("Origin", address.origin)
            .header("Sec-WebSocket-Protocol", SUBPROTOCOL)
            .build()
        socket = client.newWebSocket(request, Listener())
    }

    override fun send(message: ScanFaceRequest) {
        socket.send(message.toByteArray().toByteString())
    }

    override fun halfClose() {
        socket.send("")
    }

    override fun drop() {
        finish(StreamLost("the connection was dropped"))
        socket.cancel()
        release()
    }

    private fun release() {
        client.dispatcher.executorService.shutdown()
        client.connectionPool.evictAll()
    }

    private inner class Listener : WebSocketListener() {
        override fun onOpen(webSocket: WebSocket, response: Response) {
            opened.complete(Unit)
        }

        override fun onMessage(webSocket: WebSocket, bytes: ByteString) {
            inflow.begin()
            if (!take(bytes.toByteArray())) webSocket.cancel()
        }

        override fun onMessage(webSocket: WebSocket, text: String) {
            inflow.begin()
            refusal = if (text.length <= LONGEST_REFUSAL) refusalOf(text) else null
        }

        override fun onClosing(webSocket: WebSocket, code: Int, reason: String) {
            val refusal = refusal
            finish(
                when {
                    code == OK -> null
                    refusal != null && code == REFUSED + refusal.code -> refused(refusal)
                    else -> StreamLost("the connection was lost ($code)")
                },
            )
            webSocket.close(OK, null)
            release()
        }

        override fun onFailure(webSocket: WebSocket, t: Throwable, response: Response?) {
            val status = response?.let { " (HTTP ${it.code})" }.orEmpty()
            finish(StreamLost("the connection was lost: ${plain(t.message.orEmpty())}$status"))
            release()
        }
    }
}

/** A message that is small on the line shall not be large in memory. */
private fun uncompressed(chain: Interceptor.Chain): Response {
    val asked = chain.request().newBuilder().removeHeader(EXTENSIONS).build()
    return chain.proceed(asked).newBuilder().removeHeader(EXTENSIONS).build()
}

/** Reads a `google.rpc.Status` in JSON. Null if it is not a refusal by a Facegate server. */
internal fun refusalOf(json: String): Refusal? = try {
    val status = JsonParser.parseString(json).asJsonObject
    val details = status.getAsJsonArray("details").map { it.asJsonObject }
    fun detail(name: String): JsonObject? =
        details.find { it["@type"]?.asString == "type.googleapis.com/google.rpc.$name" }
    val retryMs = detail("RetryInfo")?.get("retryDelay")?.asString?.removeSuffix("s")?.toDouble() ?: 0.0
    detail("ErrorInfo")?.takeIf { it["domain"]?.asString == "facegate.org" }?.let { info ->
        refusal(
            status["code"].asInt,
            info["reason"].asString,
            status["message"]?.asString.orEmpty(),
            info.getAsJsonObject("metadata")?.entrySet()?.associate { it.key to it.value.asString }.orEmpty(),
            (retryMs * 1000).toLong(),
        )
    }
} catch (_: RuntimeException) {
    // Gson has one for each way in which a text is not what it should be.
    null
}
