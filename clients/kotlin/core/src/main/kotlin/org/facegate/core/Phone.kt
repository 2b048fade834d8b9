package org.facegate.core

import org.facegate.v1.CameraProfile
import org.facegate.v1.DeviceProfile
import org.facegate.v1.ExposureMetadata
import org.facegate.v1.RuntimeFindings
import org.facegate.v1.ScreenProfile

/** A size in pixels. */
public data class Size(val width: Int, val height: Int)

/** Limits of one encoded frame, in pixels of the picture as it is sent, which is not rotated. */
public data class FrameLimits(
    /** Longest side. */
    val maxSide: Int,
    /** Shorter side from which more pixels do not help. */
    val usefulSide: Int,
    val maxPixels: Int,
    /** Bytes of the JPEG. */
    val maxBytes: Int,
    /** Least length of the shorter side. */
    val minSide: Int,
    /** How often frames are already scaled down because compressing them was not enough. */
    val shrunk: Int,
)

/**
 * A JPEG that can be sent, of three channels of 8 bits. Its EXIF is not read.
 *
 * @property width Of the picture as it is sent, which is not rotated.
 */
public class EncodedFrame(
    public val jpeg: ByteArray,
    public val width: Int,
    public val height: Int,
    /** [FrameLimits.shrunk] for the frames after it. */
    public val shrunk: Int = 0,
)

/** One picture of a camera. The scan closes it, whether it was encoded or not. */
public interface CapturedFrame : AutoCloseable {
    /** Start of the exposure of the first row, microseconds, as the platform states it; strictly rising. */
    public val captureTimeUs: Long

    /** Size of the buffer, before rotation. */
    public val size: Size

    /** The clockwise rotation that makes it upright: 0, 90, 180 or 270 degrees. */
    public val rotationDegrees: Int

    /** Whether the buffer, not only the preview, is mirrored. */
    public val mirrored: Boolean

    /** The exposure as the platform reports it for this frame; null if it reports none. */
    public val exposure: ExposureMetadata?

    /** Pictures that the camera captured and lost since the one before. */
    public val lost: Int

    /**
     * Encodes it as JPEG within limits; [FrameSizes] has the steps. Called at most once, not on the thread of the
     * [FrameListener], and has three seconds. Null if no quality makes it small enough.
     */
    public fun encode(limits: FrameLimits): EncodedFrame?

    /** Gives the buffer back to the camera; returns at once. */
    override fun close()
}

/** Takes the pictures of a camera, on any one thread; returns at once. */
public interface FrameListener {
    /** Takes a picture, and closes it, now or later. */
    public fun onFrame(frame: CapturedFrame)

    /** The camera gives no more pictures, such as after another app took it. */
    public fun onLost(problem: CameraProblem)
}

/**
 * The camera. [open] and [close] are called on a thread that may be blocked, but a scan waits 30 and two seconds for them at
 * most, and calls [close] also while [open] has not returned. The properties return at once.
 */
public interface FrameSource {
    /** The camera as the platform describes it. Only read after [open]. */
    public val profile: CameraProfile

    /** Whether [CapturedFrame.exposure] has the platform's real values. */
    public val reportsExposure: Boolean

    /**
     * Whether it holds exposure and white balance during the colours of a flash, once they settled and no earlier than a
     * second after the first colour appeared. [CapturedFrame.exposure] says of which frames.
     */
    public val locksExposure: Boolean get() = false

    /** Size of the upright frames. Only read after [open]. */
    public val uprightSize: Size

    /**
     * Opens the camera, and returns once it gives pictures. They go to the listener until [close].
     *
     * @throws CameraException there is none, it is denied, or in use.
     */
    public suspend fun open(listener: FrameListener)

    /** Closes the camera; harmless if it is not open. */
    public fun close()
}

/** A colour of the flash. */
public data class FlashColour(
    val step: Int,
    val red: Int,
    val green: Int,
    val blue: Int,
    /** Time in which it slides in from the top, milliseconds; 0 if it appears at once. */
    val scrollMs: Long,
)

/** The screen. Calls come from a thread of the scan, never from two at once, and return at once: a scan waits for three seconds. */
public interface ScreenLight {
    /** The screen as the platform describes it, with its brightness now. */
    public val profile: ScreenProfile

    /** Whether it fills the whole screen, knows when a colour appeared, and the person agreed to a flash. */
    public val flashes: Boolean

    /** Whether it can slide a colour in from the top. */
    public val scrolls: Boolean

    /** Whether the ovals of the movement challenge are drawn. */
    public val movesOval: Boolean

    /** Whether the person is shown the texts of gestures. */
    public val showsGestures: Boolean

    /** An attempt with a flash begins: highest brightness, and no colour yet. */
    public fun prepare()

    /** Shows a colour; calls `appeared` with the time at which it began to appear, microseconds of [Clock]. */
    public fun show(colour: FlashColour, appeared: (sinceUs: Long) -> Unit)

    /** Returns the screen to normal; harmless if it is. */
    public fun restore()
}

/** One kind of evidence of the platform. */
public interface Attestor {
    /**
     * Makes evidence for a challenge. It has 30 seconds.
     *
     * @param challenge 32 bytes; see "Evidence of the platform" in docs/device_protocol.md.
     * @param message What an attested key signs.
     * @return The message, without run-time findings.
     * @throws EvidenceUnavailableException The platform gives none.
     */
    public suspend fun attest(challenge: ByteArray, message: ByteArray): org.facegate.v1.Attestation
}

/** What the device states about itself, and proves. */
public interface DeviceEvidence {
    /** The device as the platform describes it. */
    public val profile: DeviceProfile

    /** Kinds of evidence, each sent in a message of its own; empty if the device has none. */
    public val attestors: List<Attestor>

    /** Whether [findings] looks for anything. */
    public val reportsFindings: Boolean

    /** Looks for traces of manipulation; called when the challenge arrives and again during the capture. */
    public suspend fun findings(): RuntimeFindings
}

/** The monotonic clock of [CapturedFrame.captureTimeUs], never the wall clock. */
public fun interface Clock {
    /** Microseconds since any fixed moment. */
    public fun nowUs(): Long
}

/** A P-256 key that signs for one scan. */
public interface SessionKey {
    /** SubjectPublicKeyInfo, DER, 91 bytes. */
    public val publicDer: ByteArray

    /** ECDSA with SHA-256, ASN.1 DER, within five seconds. */
    public suspend fun sign(message: ByteArray): ByteArray

    /** Deletes the key; harmless if it was. */
    public fun delete()
}

/** Makes the session keys, in hardware where there is any. */
public fun interface KeyStore {
    /** Makes a key within 15 seconds. A key that comes later is deleted. */
    public suspend fun newSessionKey(): SessionKey
}

/** What a scan needs of a phone. */
public class Phone(
    public val camera: FrameSource,
    public val screen: ScreenLight,
    public val evidence: DeviceEvidence,
    public val keys: KeyStore,
    public val clock: Clock,
)
