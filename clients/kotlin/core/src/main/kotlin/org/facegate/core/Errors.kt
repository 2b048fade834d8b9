package org.facegate.core

import org.facegate.v1.AttestationUnavailable

/** What an app should do after an error. */
public enum class Advice {
    /** A new scan with the same ticket may succeed at once. */
    TRY_AGAIN,

    /** A new scan with the same ticket may succeed after [FacegateException.retryAfterMs]. */
    TRY_LATER,

    /** Ask the backend for a new check. */
    NEW_CHECK,

    /** The person has to allow or free the camera first. */
    FREE_CAMERA,

    /** Stop, and do not try this server again. */
    STOP,

    /** A defect of the app, its settings or this SDK: report it. */
    REPORT,
}

/** The base class of all errors of this package. */
public sealed class FacegateException(
    message: String,
    /** What the app should do. */
    public val advice: Advice,
    /** What to tell the person: a key of [Texts.screen]. */
    public val text: String,
    cause: Throwable? = null,
) : Exception(message, cause) {
    /** The wait that the server asks for, milliseconds; 0 if it asks for none. */
    public open val retryAfterMs: Long get() = 0
}

/** An error of the server, as it states it. */
public data class Refusal(
    /** Number of the gRPC status. */
    val code: Int,
    /** The reason, such as `TOKEN_EXPIRED`; empty if there is none. */
    val reason: String,
    /** The server's sentence for developers. */
    val message: String,
    /** The details that docs/reference/errors.md lists for the reason. */
    val metadata: Map<String, String>,
    /** The wait that the server asks for, milliseconds; 0 if it asks for none. */
    val retryAfterMs: Long,
)

/** The server refused the scan. */
public class ServerRefusedException internal constructor(public val refusal: Refusal) : FacegateException(
    "${refusal.reason}: ${refusal.message}",
    adviceFor(refusal),
    if (refusal.metadata["capability"] == "FLASH") "flashNeeded" else textFor(refusal.reason, refusal.retryAfterMs),
) {
    override val retryAfterMs: Long get() = refusal.retryAfterMs
}

/** The server cannot be reached, or the connection was lost more often than the SDK reconnects. */
public class ConnectionFailedException internal constructor(message: String, cause: Throwable? = null) :
    FacegateException(message, Advice.TRY_AGAIN, "network", cause)

/** The challenge is not signed with the pinned key. Do not try again. */
public class ServerNotTrustedException internal constructor(message: String) :
    FacegateException(message, Advice.STOP, "untrusted")

/** The server sent a message that the protocol does not allow. */
public class ProtocolViolatedException internal constructor(message: String) :
    FacegateException(message, Advice.REPORT, "problem")

/** The server ended the scan without a result, such as with `DEADLINE`. */
public class ScanEndedException internal constructor(
    /** The reason of the server's Goodbye, such as `DEADLINE`. */
    public val reason: String,
) : FacegateException(
    "the server ended the scan: $reason",
    if (reason == "SERVER_FAULT") Advice.TRY_LATER else Advice.NEW_CHECK,
    textFor(reason, if (reason == "SERVER_FAULT") 1 else 0),
)

/** Why there is no camera, or no picture. */
public enum class CameraProblem(internal val text: String) {
    /** The person, or a policy of the device's owner, forbids it. */
    DENIED("denied"),

    /** There is none that could be used. */
    MISSING("missing"),

    /** Another app has it, or took it. */
    BUSY("busy"),

    /** It gives no pictures, or only black ones. */
    NO_PICTURE("cameraLost"),

    /** It failed otherwise. */
    FAILED("problem"),
}

/** The camera cannot be used. */
public class CameraException(
    /** Why. */
    public val problem: CameraProblem,
    message: String,
    cause: Throwable? = null,
) : FacegateException(message, Advice.FREE_CAMERA, problem.text, cause)

/** A key cannot be made or used, or the device lacks what a scan needs. */
public class UnsupportedDeviceException(message: String, cause: Throwable? = null) :
    FacegateException(message, Advice.STOP, "unsupported", cause)

/** A defect of this SDK, or of what the app gave it. */
public class InternalErrorException internal constructor(cause: Throwable) :
    FacegateException("a defect: $cause", Advice.REPORT, "problem", cause)

/** The person left before the scan had a result. */
public class ScanCancelledException internal constructor() :
    FacegateException("the person cancelled the scan", Advice.NEW_CHECK, "cancelled")

/** The platform gives no evidence; the scan goes on. */
public class EvidenceUnavailableException(
    /** What the server is told. */
    public val reason: AttestationUnavailable.Reason,
    /** The platform's own name of the error, at most 64 characters. */
    public val platformError: String = "",
) : Exception(platformError)

private fun adviceFor(refusal: Refusal): Advice = when {
    Texts.effectOf(refusal.reason) in listOf("decided", "over") -> Advice.NEW_CHECK
    refusal.retryAfterMs > 0 -> Advice.TRY_LATER
    Texts.effectOf(refusal.reason) == "reconnect" -> Advice.TRY_AGAIN
    else -> Advice.REPORT
}

private fun textFor(reason: String, retryAfterMs: Long): String = when (reason) {
    "DEADLINE", "TOKEN_EXPIRED" -> "expired"
    "CHECK_CLOSED" -> "closed"
    else -> if (retryAfterMs > 0) "later" else "problem"
}
