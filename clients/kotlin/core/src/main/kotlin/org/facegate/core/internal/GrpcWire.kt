package org.facegate.core.internal

import io.grpc.CallOptions
import io.grpc.ClientCall
import io.grpc.Grpc
import io.grpc.Metadata
import io.grpc.MethodDescriptor
import io.grpc.Status
import io.grpc.okhttp.OkHttpChannelBuilder
import io.grpc.protobuf.lite.ProtoLiteUtils
import org.facegate.core.Refusal
import org.facegate.core.ScanOptions
import org.facegate.core.ServerAddress
import org.facegate.core.ServerRefusedException
import org.facegate.core.isLoopback
import org.facegate.v1.ScanFaceRequest
import java.io.ByteArrayInputStream
import java.io.InputStream
import java.util.concurrent.TimeUnit

internal const val SCAN_METHOD = "facegate.v1.VerificationService/ScanFace"
internal const val MOST_MESSAGE_BYTES = 768 * 1024

private const val AT_ONCE = 32
private const val CONNECT_MS = 10_000

/** The server accepts one ping in 20 seconds. */
private const val PING_SECONDS = 25L
private const val PONG_SECONDS = 5L

/** Leaves the reading to [Wire], which tells a message that cannot be read from a lost connection. */
private object Unread : MethodDescriptor.Marshaller<ByteArray> {
    override fun stream(value: ByteArray): InputStream = ByteArrayInputStream(value)

    override fun parse(stream: InputStream): ByteArray = stream.readBytes()
}

private val METHOD: MethodDescriptor<ScanFaceRequest, ByteArray> =
    MethodDescriptor.newBuilder<ScanFaceRequest, ByteArray>()
        .setType(MethodDescriptor.MethodType.BIDI_STREAMING)
        .setFullMethodName(SCAN_METHOD)
        .setRequestMarshaller(ProtoLiteUtils.marshaller(ScanFaceRequest.getDefaultInstance()))
        .setResponseMarshaller(Unread)
        .build()

private val STATUS_DETAILS: Metadata.Key<ByteArray> =
    Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER)

/** The codes of the transport itself when a connection breaks or a proxy gives up. */
private val LOST = setOf(Status.Code.UNAVAILABLE, Status.Code.INTERNAL, Status.Code.UNKNOWN, Status.Code.CANCELLED)

/** A stream over gRPC, on a connection of its own. */
internal class GrpcWire(address: ServerAddress.Grpc, options: ScanOptions) : Wire() {
    private val sockets = ClosableSockets(CONNECT_MS)
    private val channel = OkHttpChannelBuilder.forAddress(address.host, address.port)
        .socketFactory(sockets)
        .apply { if (address.plaintext) usePlaintext() }
        // Nothing on this device is behind the proxy of its network.
        .apply { if (isLoopback(address.host)) proxyDetector { null } }
        .apply { options.tls?.let { sslSocketFactory(it) } }
        .maxInboundMessageSize(MOST_MESSAGE_BYTES)
        .disableRetry()
        .keepAliveTime(PING_SECONDS, TimeUnit.SECONDS)
        .keepAliveTimeout(PONG_SECONDS, TimeUnit.SECONDS)
        .build()

    // Ready means that no earlier message waits in the device.
    private val call: ClientCall<ScanFaceRequest, ByteArray> =
        channel.newCall(METHOD, CallOptions.DEFAULT.withOnReadyThreshold(1))

    @Volatile
    private var over = false

    override var serverSpkiSha256: ByteArray = ByteArray(0)
        private set

    override val busy: Boolean get() = !call.isReady

    init {
        call.start(Listener(), Metadata())
        call.request(AT_ONCE)
    }

    override fun send(message: ScanFaceRequest) {
        if (!over) call.sendMessage(message)
    }

    override fun halfClose() {
        if (!over) call.halfClose()
    }

    override fun drop() {
        over = true
        finish(StreamLost("the connection was dropped"))
        call.cancel("dropped", null)
        channel.shutdownNow()
        sockets.close()
    }

    override fun taken() = call.request(1)

    private inner class Listener : ClientCall.Listener<ByteArray>() {
        override fun onReady() {
            val session = call.attributes[Grpc.TRANSPORT_ATTR_SSL_SESSION]
            if (session != null) serverSpkiSha256 = sha256(session.peerCertificates.first().publicKey.encoded)
            opened.complete(Unit)
        }

        override fun onMessage(message: ByteArray) {
            take(message)
        }

        override fun onClose(status: Status, trailers: Metadata) {
            over = true
            finish(endOf(status, trailers))
            channel.shutdown()
        }
    }
}

private fun endOf(status: Status, trailers: Metadata): Exception? {
    if (status.isOk) return null
    trailers[STATUS_DETAILS]?.let(::refusalOf)?.let { return refused(it) }
    val message = plain("${status.code}: ${status.description ?: status.cause?.message.orEmpty()}")
    return if (status.code in LOST) {
        StreamLost(message)
    } else {
        ServerRefusedException(Refusal(status.code.value(), "", message, emptyMap(), 0))
    }
}
