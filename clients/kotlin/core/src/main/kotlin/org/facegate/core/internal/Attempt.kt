package org.facegate.core.internal

import com.google.protobuf.ByteString
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import org.facegate.core.CapturedFrame
import org.facegate.core.FacegateException
import org.facegate.core.Interruption
import org.facegate.core.Phone
import org.facegate.core.Plan
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.ScanEndedException
import org.facegate.core.ScanState
import org.facegate.core.Size
import org.facegate.v1.AttemptEndBody
import org.facegate.v1.AttemptEndBody.Cause
import org.facegate.v1.AttemptStart
import org.facegate.v1.Feedback
import org.facegate.v1.FeedbackCode
import org.facegate.v1.FrameHeader
import org.facegate.v1.Goodbye
import org.facegate.v1.Rotation
import org.facegate.v1.ScanFaceResponse
import org.facegate.v1.ScanFaceResponse.MessageCase
import org.facegate.v1.ScanResult

private const val NONCE_BYTES = 16

/** The device ends an attempt a little before the server would. */
private const val DURATION_SHARE = 0.95
internal const val RESULT_MS = 60_000L

/** The most that a policy can allow. */
private const val LONGEST_ATTEMPT_MS = 300_000L
private const val LONGEST_OVAL_MS = 10_000L
private const val ENCODE_MS = 3000L
private const val MOST_LOST = 1000
private const val SILENT_CAMERA_MS = 3000L

/** Frames a second that the protocol needs. */
private const val LEAST_RATE = 8f

/** The time after which an attempt with less than half of these frames is ended, seconds: it can hardly catch up. */
private const val HOPELESS_SECONDS = 10

/** The counts of a scan, over all attempts and streams. */
internal class Tally {
    var frames = 0
    var bytes = 0L
    var dropped = 0

    /** Capture time of the last frame with an index. */
    var lastCaptureUs = Long.MIN_VALUE

    /** The attempt whose AttemptEnd was sent and whose result has not arrived. */
    var awaited: Int? = null
}

/** What an attempt needs of its scan. */
internal class AttemptContext(
    val stream: ScanStream,
    val phone: Phone,
    val tap: FrameTap,
    val tally: Tally,
    val progress: Progress,
    val app: AppCalls,
    /** The scan's deadline, by the clock of the phone. */
    val endsAtUs: Long,
    val plan: Plan,
    /** The colours, in attempts with a flash. */
    val show: FlashShow?,
)

/** The device's side of one attempt: sends frames within the credit, and waits for the server's result. */
internal class Attempt(private val start: AttemptStart, private val context: AttemptContext) {
    private val stream = context.stream
    private val clock = context.phone.clock
    private val upright = context.phone.camera.uprightSize
    private val rules = FrameRules(stream.challenge.budget, usefulSide(upright, context.plan))
    private val credit = Credit(start.credit.frames, start.credit.bytes)
    private val pace = CapturePace()
    private val stopped = CompletableDeferred<Cause>()
    private var frames = 0
    private var dropped = 0
    private var droppedBefore = 0
    private var paused = false
    private var encoding = false
    private var sending: Job? = null
    private var shape: Size? = null
    private var notBeforeUs = 0L
    private var lastFrameUs = 0L
    private var lastHinted = 0

    init {
        if (start.attempt == 0 || start.nonce.size() != NONCE_BYTES) {
            throw ProtocolViolatedException("the AttemptStart has no number or no nonce of $NONCE_BYTES bytes")
        }
    }

    /** Why the attempt was interrupted; null if it was not. */
    var interruption: Interruption? = null
        private set

    private var cause: Cause? = null

    val plan: Plan get() = context.plan

    /** Whether the person ended the attempt. */
    val cancelled: Boolean get() = cause == Cause.CAUSE_CANCELLED

    /** Whether a colour other than the first grey was on the screen. */
    val coloured: Boolean get() = context.show?.coloured == true

    /** Whether the device itself captured fewer frames than the server needs. */
    val captureTooSlow: Boolean get() = pace.isBelow(leastRate)

    /** Whether the time ended before the connection had carried as many frames as the server needs. */
    val networkTooSlow: Boolean
        get() = cause == Cause.CAUSE_TIMED_OUT && !captureTooSlow && frames < leastRate * pace.seconds

    private val leastRate: Float get() = stream.challenge.budget.minFramesPerSecond.takeIf { it > 0 } ?: LEAST_RATE

    private val hopeless: Boolean get() = pace.seconds >= HOPELESS_SECONDS && frames < leastRate / 2 * pace.seconds

    /** Ends the attempt, because the person leaves or declines the flash. */
    fun cancel() = stop(Cause.CAUSE_CANCELLED)

    /** Ends the attempt, because it cannot go on. */
    fun interrupt(interruption: Interruption) {
        if (cause == null) this.interruption = interruption
        stop(Cause.CAUSE_CAMERA_FAILED)
    }

    private val limitMs: Long
        get() {
            val stated = (stream.challenge.budget.maxAttemptDuration.milliseconds * DURATION_SHARE).toLong()
            val leftMs = (context.endsAtUs - clock.nowUs()) / 1000
            return minOf(if (stated > 0) stated else RESULT_MS, LONGEST_ATTEMPT_MS, leftMs)
        }

    /** Captures until the attempt ends; returns the server's result. */
    suspend fun run(): ScanResult {
        stream.markAttempt(start)
        notBeforeUs = clock.nowUs()
        lastFrameUs = notBeforeUs
        return coroutineScope {
            val camera = context.tap.open { launch { interrupt(Interruption.CAMERA) } }
            try {
                if (cause == null && context.show != null) context.app.onScreen(context.phone.screen::prepare)
                launch {
                    delay(limitMs)
                    stop(Cause.CAUSE_TIMED_OUT)
                }
                launch { watchCamera() }
                launch { for (frame in camera) offer(frame, this@coroutineScope) }
                launch { end(stopped.await()) }
                read(this)
            } finally {
                context.tap.close()
                if (cause == null) cause = Cause.CAUSE_UNSPECIFIED
                context.show?.close()
                coroutineContext.cancelChildren()
            }
        }
    }

    private suspend fun read(scope: CoroutineScope): ScanResult {
        while (true) {
            val message = stream.receive() ?: throw StreamLost("the server closed the stream without a result")
            handle(message, scope)?.let { return it }
        }
    }

    private fun handle(message: ScanFaceResponse, scope: CoroutineScope): ScanResult? {
        when (message.messageCase) {
            MessageCase.CREDIT -> credit.add(message.credit)
            MessageCase.FEEDBACK -> hint(message.feedback)
            MessageCase.FLASH_STEP -> {
                val show = context.show ?: throw ProtocolViolatedException("a flash step came in an attempt without a flash")
                // A step that comes after the end of the capture is not shown any more.
                if (cause == null) show.add(message.flashStep, scope)
            }
            MessageCase.OVAL_CHANGE -> context.progress.update {
                val change = message.ovalChange
                it.copy(oval = ovalIn(upright, change.oval), ovalMs = change.transitionDuration.milliseconds.coerceIn(0, LONGEST_OVAL_MS))
            }
            MessageCase.CAPTURE_ADJUSTMENT -> rules.adjust(message.captureAdjustment)
            MessageCase.CAPTURE_PAUSE -> pause(message.capturePause.paused, hintCode(message.capturePause.reason))
            MessageCase.CAPTURE_COMPLETE ->
                if (message.captureComplete.attempt == start.attempt) stop(Cause.CAUSE_COMPLETE)
            MessageCase.SCAN_RESULT -> {
                if (message.scanResult.attempt != start.attempt) {
                    throw ProtocolViolatedException("the result of another attempt came")
                }
                context.tally.awaited = null
                return message.scanResult
            }
            MessageCase.GOODBYE -> throw goodbyeError(message.goodbye)
            MessageCase.CHALLENGE, MessageCase.ATTEMPT_START ->
                throw ProtocolViolatedException("the server sent ${message.messageCase} during an attempt")
            // A message of a later version.
            MessageCase.MESSAGE_NOT_SET, null -> Unit
        }
        return null
    }

    private fun hint(feedback: Feedback) {
        // A hint for an older frame is stale; one for no frame is not.
        if (feedback.frameIndex in 1 until lastHinted) return
        lastHinted = maxOf(lastHinted, feedback.frameIndex)
        context.progress.update { it.copy(hint = hintCode(feedback.code), progress = share(feedback.progress)) }
    }

    private fun pause(paused: Boolean, reason: String) {
        // What was captured in a pause is not sent after it.
        if (this.paused && !paused) notBeforeUs = clock.nowUs()
        this.paused = paused
        context.progress.update { if (paused) it.copy(paused = true, hint = reason) else it.copy(paused = false) }
    }

    /** Sends a frame of the camera, or drops it before it gets an index. */
    private fun offer(frame: CapturedFrame, scope: CoroutineScope) {
        if (!isDue(frame)) {
            frame.giveBack()
            return
        }
        encoding = true
        // Not dispatched, so that the frame is given back however the attempt ends.
        sending = scope.launch(start = CoroutineStart.UNDISPATCHED) {
            try {
                send(frame)
            } finally {
                encoding = false
            }
        }
    }

    private fun isDue(frame: CapturedFrame): Boolean {
        val missed = frame.lost.coerceIn(0, MOST_LOST) + context.tap.takeMissed()
        lastFrameUs = clock.nowUs()
        val size = frame.uprightSize
        // The movement of a face cannot be followed from a wide picture to a tall one.
        if (size != (shape ?: size)) interrupt(Interruption.TURNED)
        shape = size
        if (paused) pace.pause()
        if (cause != null || paused) return false
        if (frame.captureTimeUs < notBeforeUs || frame.captureTimeUs <= context.tally.lastCaptureUs) return false
        pace.pass(frame.captureTimeUs)
        if (hopeless) {
            stop(Cause.CAUSE_TIMED_OUT)
            return false
        }
        drop(missed)
        if (rules.tooEarly(frame.captureTimeUs)) return false
        if (!encoding) pace.count()
        val room = !encoding && !stream.busy && credit.covers()
        if (!room) drop(1)
        return room
    }

    private suspend fun send(frame: CapturedFrame) {
        val limits = rules.limits
        val (made, encoded) = context.app.call(ENCODE_MS, late = { null }) {
            try {
                headerOf(frame) to frame.encode(limits)
            } finally {
                frame.giveBack()
            }
        } ?: return interrupt(Interruption.CAMERA)
        // While the picture was encoded, the attempt may have ended or paused.
        if (cause != null || paused || made.captureTimeUs < notBeforeUs) return
        val size = encoded?.jpeg?.size ?: 0
        // The limits may have fallen meanwhile.
        if (encoded == null || size > rules.limits.maxBytes || maxOf(encoded.width, encoded.height) > rules.limits.maxSide) {
            drop(1)
            return
        }
        rules.keepShrunk(encoded.shrunk)
        if (!rules.hasRoom(size, frames, context.tally.bytes)) {
            stop(Cause.CAUSE_TIMED_OUT)
            return
        }
        if (!credit.take(size)) {
            drop(1)
            return
        }
        val shown = context.show?.at(made.captureTimeUs)
        val header = made
            .setIndex(frames)
            .setDroppedBefore(droppedBefore)
            .setFlashStep(shown?.step ?: 0)
            .setFlashStepSinceUs(shown?.sinceUs ?: 0)
            .setWidth(encoded.width)
            .setHeight(encoded.height)
        frames += 1
        droppedBefore = 0
        context.tally.frames += 1
        context.tally.bytes += size
        context.tally.lastCaptureUs = header.captureTimeUs
        stream.sendFrame(header.build().toByteArray(), encoded.jpeg)
    }

    /** What a frame itself states. */
    private fun headerOf(frame: CapturedFrame): FrameHeader.Builder {
        val header = FrameHeader.newBuilder()
            .setAttempt(start.attempt)
            .setCaptureTimeUs(frame.captureTimeUs)
            .setRotation(rotation(frame.rotationDegrees))
            .setMirrored(frame.mirrored)
        frame.exposure?.let { header.setExposure(it) }
        return header
    }

    private fun drop(count: Int) {
        dropped += count
        droppedBefore += count
        context.tally.dropped += count
    }

    private fun stop(cause: Cause) {
        if (this.cause != null) return
        this.cause = cause
        context.show?.close()
        stopped.complete(cause)
    }

    private suspend fun end(cause: Cause) {
        sending?.join()
        context.progress.enter(ScanState.Deciding(start.attempt))
        context.tally.awaited = start.attempt
        stream.sendAttemptEnd(
            AttemptEndBody.newBuilder()
                .setAttempt(start.attempt)
                .setFrameCount(frames)
                .setLastMac(ByteString.copyFrom(stream.lastMac))
                .setDroppedCount(dropped)
                .setCause(cause)
                .build(),
        )
        delay(RESULT_MS)
        throw StreamLost("no result came in time")
    }

    private suspend fun watchCamera() {
        while (cause == null) {
            delay(SILENT_CAMERA_MS / 3)
            if (clock.nowUs() - lastFrameUs > SILENT_CAMERA_MS * 1000) interrupt(Interruption.CAMERA)
        }
    }
}

private val CapturedFrame.uprightSize: Size
    get() = if (rotationDegrees % 180 == 0) size else Size(size.height, size.width)

private fun rotation(degrees: Int): Rotation = when (degrees) {
    0 -> Rotation.ROTATION_UNSPECIFIED
    90 -> Rotation.ROTATION_90
    180 -> Rotation.ROTATION_180
    270 -> Rotation.ROTATION_270
    else -> throw IllegalArgumentException("a frame is rotated by $degrees degrees, not by 0, 90, 180 or 270")
}

/** The name of a code; `UNSPECIFIED` for one of a later version. */
internal fun hintCode(code: FeedbackCode): String =
    if (code == FeedbackCode.UNRECOGNIZED) "UNSPECIFIED" else code.name.removePrefix("FEEDBACK_CODE_")

/** The error of a Goodbye: a lost stream if a reconnect is allowed, or the end of the scan. */
internal fun goodbyeError(goodbye: Goodbye): Exception {
    val reason = if (goodbye.reason == Goodbye.Reason.UNRECOGNIZED) "UNSPECIFIED" else goodbye.reason.name
    val ended: FacegateException = ScanEndedException(reason.removePrefix("REASON_"))
    return if (goodbye.hasReconnectAfter()) {
        StreamLost(ended.message.orEmpty(), goodbye.reconnectAfter.milliseconds, ended)
    } else {
        ended
    }
}
