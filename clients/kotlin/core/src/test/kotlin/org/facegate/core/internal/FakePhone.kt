package org.facegate.core.internal

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import org.facegate.core.CameraException
import org.facegate.core.CameraProblem
import org.facegate.core.CapturedFrame
import org.facegate.core.Clock
import org.facegate.core.EncodedFrame
import org.facegate.core.FlashColour
import org.facegate.core.FrameLimits
import org.facegate.core.FrameListener
import org.facegate.core.FrameSource
import org.facegate.core.ScreenLight
import org.facegate.core.Size
import org.facegate.v1.CameraProfile
import org.facegate.v1.ExposureMetadata
import org.facegate.v1.ScreenProfile

/** A camera in virtual time. */
internal class FakeCamera(
    private val scope: CoroutineScope,
    private val clock: Clock,
    var periodMs: Long = 50,
    var size: Size = Size(480, 640),
    private val frameBytes: () -> Int = { 20_000 },
) : FrameSource {
    /** Why it does not open; null if it does. */
    var refuses: CameraProblem? = null
    var openings = 0

    /** What an app's own code does at these calls, which may be anything. */
    var onOpen: suspend () -> Unit = {}
    var onEncode: () -> Unit = {}
    var onFrameClose: () -> Unit = {}
    var onClose: () -> Unit = {}
    var lost = 0
    var held = 0
    private var running: Job? = null
    private lateinit var listener: FrameListener

    override val profile: CameraProfile = CameraProfile.getDefaultInstance()
    override val reportsExposure = false
    override val uprightSize get() = size

    override suspend fun open(listener: FrameListener) {
        delay(100)
        onOpen()
        openings += 1
        refuses?.let { throw CameraException(it, "refused") }
        this.listener = listener
        running = scope.launch {
            while (true) {
                held += 1
                listener.onFrame(FakeFrame(clock.nowUs(), size))
                delay(periodMs)
            }
        }
    }

    override fun close() {
        running?.cancel()
        onClose()
    }

    /** Another app takes it. */
    fun lose() {
        running?.cancel()
        listener.onLost(CameraProblem.BUSY)
    }

    /** It gives no more pictures, and does not say so. */
    fun freeze() {
        running?.cancel()
    }

    private inner class FakeFrame(override val captureTimeUs: Long, override val size: Size) : CapturedFrame {
        private var closed = false
        override val rotationDegrees = 0
        override val mirrored = false
        override val exposure: ExposureMetadata? = null
        override val lost get() = this@FakeCamera.lost

        override fun encode(limits: FrameLimits): EncodedFrame? {
            check(!closed) { "encoded after it was closed" }
            onEncode()
            return EncodedFrame(ByteArray(minOf(frameBytes(), limits.maxBytes)), size.width, size.height)
        }

        override fun close() {
            check(!closed) { "closed twice" }
            closed = true
            held -= 1
            onFrameClose()
        }
    }
}

/** A screen in virtual time. */
internal class FakeScreen(private val clock: Clock, override val flashes: Boolean = true) : ScreenLight {
    class Change(val atUs: Long, val colour: FlashColour?)

    val changes = ArrayList<Change>()
    var prepared = 0
    var onRestore: () -> Unit = {}

    override val profile: ScreenProfile = ScreenProfile.getDefaultInstance()
    override val scrolls = true
    override val movesOval = true
    override val showsGestures = true

    /** Whether a colour is on the screen. */
    val coloured get() = changes.lastOrNull()?.colour != null

    override fun prepare() {
        prepared += 1
    }

    override fun show(colour: FlashColour, appeared: (sinceUs: Long) -> Unit) {
        changes += Change(clock.nowUs(), colour)
        appeared(clock.nowUs() + 16_000)
    }

    override fun restore() {
        if (coloured) changes += Change(clock.nowUs(), null)
        onRestore()
    }
}
