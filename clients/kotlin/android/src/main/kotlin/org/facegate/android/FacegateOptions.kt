package org.facegate.android

import javax.net.ssl.SSLSocketFactory
import javax.net.ssl.X509TrustManager
import org.facegate.android.evidence.PlayIntegrity
import org.facegate.core.ScanOutcome
import org.facegate.core.ScanTicket
import org.facegate.core.ServerAddress

/** Which camera a scan uses, where the front camera of a phone is not it. */
public data class CameraChoice(
    /** Whether a camera at a cable may serve if none is built in, as in a kiosk. Policies may refuse it. */
    val external: Boolean = false,
    /** A clockwise turn, degrees, of cameras that are mounted turned, beside the turn that Android states. */
    val turnDegrees: Int = 0,
) {
    init {
        require(turnDegrees in setOf(0, 90, 180, 270)) { "a camera is turned by 0, 90, 180 or 270 degrees" }
    }
}

/** How scans are made and shown. */
public class FacegateOptions(
    /** Where the server listens. */
    public val server: ServerAddress,
    /** Whether the screen may show the colours of DYNAMIC; the person is asked each time. */
    public val flash: Boolean = false,
    /** Whether the screen begins with a card that says what will happen; else with the camera. */
    public val intro: Boolean = true,
    /** BCP 47 languages, the wanted one first; by default those of the phone. */
    public val languages: List<String> = emptyList(),
    /** Which camera is used. */
    public val camera: CameraChoice = CameraChoice(),
    /** Google's Play Integrity as evidence beside the key attestation. */
    public val playIntegrity: PlayIntegrity? = null,
    /** Whether Android keeps the scan out of screenshots, recordings and shared screens. */
    public val secure: Boolean = true,
    /** TLS for a server whose certificate the phone does not trust, such as one of your own authority. */
    public val tls: SSLSocketFactory? = null,
    /** The trust manager of [tls]; required with it. */
    public val trust: X509TrustManager? = null,
) {
    init {
        require((tls == null) == (trust == null)) { "tls and trust belong together" }
    }
}

/** Gets the ticket of a new check from your backend, over your app's own authenticated connection. */
public fun interface TicketSource {
    /** Called at each start, on a background thread; ends with an error of your own if there is no check. */
    public suspend fun ticket(): ScanTicket
}

/** How a scan ended. It is for the interface only: your backend calls `FinishCheck`. */
public sealed class FacegateResult {
    /** The scan has a result. */
    public data class Finished(val outcome: ScanOutcome) : FacegateResult()

    /**
     * It has none; [error] is a [org.facegate.core.FacegateException], what your [TicketSource] threw, or a
     * `CancellationException` if the screen was closed meanwhile.
     */
    public data class Failed(val error: Throwable) : FacegateResult()
}
