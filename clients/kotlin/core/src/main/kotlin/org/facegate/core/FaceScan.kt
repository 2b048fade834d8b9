package org.facegate.core

import kotlinx.coroutines.flow.StateFlow
import org.facegate.core.internal.Environment
import org.facegate.core.internal.GrpcWire
import org.facegate.core.internal.Scan
import org.facegate.core.internal.WebSocketWire

/** The fields of `UploadTrustedImageResponse` that the backend passes to its app for one scan. */
public class ScanTicket(
    /** `scan_token`. A secret: never put it into an address, a log or a storage. */
    public val token: String,
    challengeKeySha256: ByteArray,
) {
    /** `challenge_key_sha256`: the SHA-256 of the server's challenge key, 32 bytes. */
    public val challengeKeySha256: ByteArray = challengeKeySha256.copyOf()

    init {
        require(token.isNotEmpty() && token.length <= 256) { "the ticket's token has not 1 to 256 characters" }
        require(challengeKeySha256.size == 32) { "challengeKeySha256 has not 32 bytes" }
    }

    override fun toString(): String = "ScanTicket(token=██, challengeKeySha256=██)"
}

/** Where the server listens. */
public sealed class ServerAddress {
    /**
     * The device listener, by gRPC.
     *
     * @property plaintext Without TLS; for `localhost`, `127.0.0.1` and `::1` only.
     */
    public data class Grpc(val host: String, val port: Int, val plaintext: Boolean = false) : ServerAddress() {
        init {
            require(!plaintext || isLoopback(host)) { "$host is not this device: plaintext is for loopback only" }
        }
    }

    /**
     * The web listener, by WebSocket, for networks that let nothing else through.
     *
     * @property url Such as `wss://scan.example.com:8446`, without a path; `ws://` for loopback only.
     * @property origin One of the server's `device_integrity.web.origins`.
     */
    public data class WebSocket(val url: String, val origin: String) : ServerAddress() {
        init {
            val parts = requireNotNull(WEB_ADDRESS.matchEntire(url)) {
                "url is not an address without a path, such as wss://scan.example.com:8446"
            }
            val (tls, host) = parts.destructured
            require(tls.isNotEmpty() || isLoopback(host)) { "$host is not this device: plaintext is for loopback only" }
        }
    }
}

private val WEB_ADDRESS = Regex("""ws(s?)://([\w.-]+|\[[0-9a-fA-F:]+])(?::\d{1,5})?/?""")
private val LOOPBACK = Regex("""localhost|127(\.\d{1,3}){3}|::1|\[::1]""")

internal fun isLoopback(host: String) = LOOPBACK.matches(host)

/** How a scan is made. */
public class ScanOptions(
    /** Where to scan. */
    public val server: ServerAddress,
    /** The check's ticket; of use for one check only. */
    public val ticket: ScanTicket,
    /** BCP 47 language of the person, for the server's statistics. */
    public val language: String = "",
    /** TLS for servers whose certificate the platform does not trust by itself; by default the platform's. */
    public val tls: javax.net.ssl.SSLSocketFactory? = null,
    /** The trust manager of [tls]; required with it. */
    public val trust: javax.net.ssl.X509TrustManager? = null,
    /** Whether the next attempt waits for [FaceScan.ready]. */
    public val waitsForPerson: Boolean = true,
) {
    init {
        require((tls == null) == (trust == null)) { "tls and trust belong together" }
    }
}

/** One scan: from the camera's first frame to the server's last result, over lost connections. */
public interface FaceScan {
    /** What the scan is doing, for the app's interface. */
    public val state: StateFlow<ScanState>

    /**
     * Scans until the server has decided or no attempt is left. Call it once. Cancelling the coroutine drops the
     * connection, so that another stream may resume; [cancel] ends the scan for good.
     *
     * @throws FacegateException The scan ended without a result; [FacegateException.advice] says what to do.
     */
    public suspend fun run(): ScanOutcome

    /** The person leaves: the running attempt ends, no other starts, and [run] ends soon after. From any thread. */
    public fun cancel()

    /** The person wants no colours: a running attempt with a flash ends, and none is shown again. From any thread. */
    public fun declineFlash()

    /** The person is ready for the next attempt ([ScanState.Waiting]). From any thread. */
    public fun ready()

    /** The running attempt cannot go on, such as when the app is hidden. From any thread. */
    public fun interrupt(interruption: Interruption)
}

/** Prepares a scan; nothing is opened before [FaceScan.run]. */
public fun FaceScan(options: ScanOptions, phone: Phone): FaceScan {
    val environment = Environment {
        when (val server = options.server) {
            is ServerAddress.Grpc -> GrpcWire(server, options)
            is ServerAddress.WebSocket -> WebSocketWire(server, options)
        }
    }
    return Scan(options, phone, environment)
}
