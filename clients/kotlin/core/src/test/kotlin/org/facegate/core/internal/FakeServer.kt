package org.facegate.core.internal

import com.google.protobuf.ByteString
import com.google.protobuf.Duration
import com.google.protobuf.Timestamp
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import org.facegate.v1.AttemptEndBody
import org.facegate.v1.AttemptStart
import org.facegate.v1.CaptureBudget
import org.facegate.v1.Challenge
import org.facegate.v1.ChallengeBody
import org.facegate.v1.Credit
import org.facegate.v1.FlashStep
import org.facegate.v1.FrameHeader
import org.facegate.v1.Plan
import org.facegate.v1.ScanFaceRequest
import org.facegate.v1.ScanFaceRequest.MessageCase
import org.facegate.v1.ScanFaceResponse
import org.facegate.v1.ScanResult
import org.facegate.v1.ScanStart
import org.facegate.v1.ScanStatus
import java.security.KeyPairGenerator
import java.security.Signature
import java.security.spec.ECGenParameterSpec
import kotlin.random.Random

internal fun duration(ms: Long): Duration = Duration.newBuilder().setSeconds(ms / 1000).setNanos((ms % 1000).toInt() * 1_000_000).build()

/** The streams of one scan, played by a script in virtual time, each of which tests what the device sends. */
internal class FakeServer(private val scope: CoroutineScope, private val script: suspend FakeStream.() -> Unit) {
    private val keys = KeyPairGenerator.getInstance("EC").run {
        initialize(ECGenParameterSpec("secp256r1"))
        generateKeyPair()
    }
    val fingerprint: ByteArray = sha256(keys.public.encoded)
    val streams = ArrayList<FakeStream>()
    var mostFrames = 0
    var scanBytes = 0L
    var deadlineMs = 180_000L
    var lastCaptureUs = Long.MIN_VALUE

    /** Makes the stream of one connection. */
    fun connect(): Wire = FakeStream(this, streams.size).also { stream ->
        streams += stream
        scope.launch {
            try {
                script(stream)
            } catch (error: IllegalStateException) {
                failure = failure ?: error
                stream.breakLine()
            }
        }
    }

    /** The rule that the device broke first. */
    var failure: IllegalStateException? = null

    fun sign(message: ByteArray): ByteArray = Signature.getInstance("SHA256withECDSA").run {
        initSign(keys.private)
        update(message)
        sign()
    }

    val publicDer: ByteArray get() = keys.public.encoded
}

/** One stream: the server's side, and the wire that the device holds. */
internal class FakeStream(private val server: FakeServer, val index: Int) : Wire() {
    private val sent = Channel<ScanFaceRequest>(Channel.UNLIMITED)
    private val share = PlainShare(Random(index).nextBytes(32))
    private lateinit var chain: MacChain
    private lateinit var binding: ByteArray
    lateinit var start: ScanStart
        private set
    private var attempt = 0
    private var frames = 0
    private var dropped = 0
    private var credit = Credit.getDefaultInstance()
    var paused = false
        private set

    /** Whether a frame shows that the device has the Challenge. */
    var answered = false
        private set
    private val steps = HashMap<Int, Long>()
    private var nextStep = 1
    var halfClosed = false
        private set
    override var busy = false
    override val serverSpkiSha256 = ByteArray(0)

    override fun send(message: ScanFaceRequest) {
        sent.trySend(message)
    }

    override fun halfClose() {
        halfClosed = true
        finish(null)
        sent.close()
    }

    override fun drop() {
        finish(StreamLost("dropped"))
        sent.close()
    }

    /** The line breaks. */
    fun breakLine() {
        finish(StreamLost("the line broke"))
        sent.close()
    }

    fun refuse(error: Exception) {
        opened.complete(Unit)
        finish(error)
        sent.close()
    }

    fun accept() {
        opened.complete(Unit)
    }

    fun say(message: ScanFaceResponse.Builder.() -> Unit) = sayBytes(ScanFaceResponse.newBuilder().apply(message).build().toByteArray())

    fun sayBytes(bytes: ByteArray) {
        take(bytes)
    }

    /** The next message that is no evidence; null at the end. */
    suspend fun next(): ScanFaceRequest? {
        while (true) {
            val message = sent.receiveCatching().getOrNull() ?: return null
            if (message.messageCase != MessageCase.ATTESTATION) return message
        }
    }

    /** Whether the device's side has ended. */
    @OptIn(kotlinx.coroutines.DelicateCoroutinesApi::class)
    val over: Boolean get() = sent.isClosedForReceive

    /** Reads the ScanStart, and answers with a Challenge. Returns false if the device left. */
    suspend fun shakeHands(change: ChallengeBody.Builder.() -> Unit = {}): Boolean {
        accept()
        val first = next() ?: return false
        check(first.hasStart()) { "the first message is ${first.messageCase}" }
        start = ScanStart.parseFrom(first.start)
        if (server.streams.take(index).any { it.answered }) check(start.resume) { "a later stream does not resume" }
        val body = ChallengeBody.newBuilder()
            .setProtocolVersion(1)
            .setNonce(ByteString.copyFrom(Random(index).nextBytes(32)))
            .setKeyShare(ByteString.copyFrom(share.public))
            .setResumeProofRequired(start.resume)
            .setBudget(
                CaptureBudget.newBuilder()
                    .setMaxFrameBytes(200_000)
                    .setMaxScanBytes(20_000_000)
                    .setMaxFramesPerAttempt(400)
                    .setMaxFramesPerSecond(30f)
                    .setMinFramesPerSecond(8f)
                    .setMaxAttemptDuration(duration(20_000)),
            )
            .setServerTime(Timestamp.newBuilder().setSeconds(1_000))
            .setScanDeadline(Timestamp.newBuilder().setSeconds(1_000 + server.deadlineMs / 1000))
            .apply(change)
            .build()
        binding = Transcript.bindingHash(
            start.token,
            body.nonce.toByteArray(),
            start.keyShare.toByteArray(),
            share.public,
            start.sessionPublicKey.toByteArray(),
            ByteArray(0),
            first.start.toByteArray(),
        )
        val secret = share.secretWith(start.keyShare.toByteArray())
        chain = MacChain(Transcript.macKey(secret, body.nonce.toByteArray(), binding), binding)
        val signature = server.sign(Transcript.challenge(first.start.toByteArray(), body.toByteArray()))
        say {
            challenge = Challenge.newBuilder()
                .setBody(body.toByteString())
                .setSignature(ByteString.copyFrom(signature))
                .setSigningPublicKey(ByteString.copyFrom(server.publicDer))
                .build()
        }
        if (body.resumeProofRequired) {
            val proof = next() ?: return false
            check(proof.hasResumeProof()) { "after a Challenge came ${proof.messageCase}" }
            check(isSigned(Transcript.resume(binding), proof.resumeProof.signature))
        }
        return true
    }

    fun begin(number: Int, plan: Plan = Plan.PLAN_EXPRESS, frames: Int = 8, bytes: Int = 1_000_000) {
        attempt = number
        this.frames = 0
        dropped = 0
        paused = false
        credit = Credit.newBuilder().setFrames(frames).setBytes(bytes).build()
        val nonce = Random(number).nextBytes(16)
        chain.markAttempt(number, nonce)
        say {
            attemptStart = AttemptStart.newBuilder()
                .setAttempt(number)
                .setNonce(ByteString.copyFrom(nonce))
                .setPlan(plan)
                .setCredit(this@FakeStream.credit)
                .build()
        }
    }

    fun give(frames: Int, bytes: Int) {
        val more = Credit.newBuilder().setFrames(frames).setBytes(bytes).build()
        credit = credit.toBuilder().setFrames(credit.frames + frames).setBytes(credit.bytes + bytes).build()
        say { this.credit = more }
    }

    fun pause(paused: Boolean) {
        this.paused = paused
        say { capturePause = org.facegate.v1.CapturePause.newBuilder().setPaused(paused).build() }
    }

    fun show(holdMs: Long = 400, last: Boolean = false): Int {
        val number = nextStep++
        say {
            flashStep = FlashStep.newBuilder().setStep(number).setMinimumHold(duration(holdMs)).setLast(last)
                .setColor(org.facegate.v1.Rgb.newBuilder().setRed(60 * (number % 4)).setGreen(100).setBlue(100)).build()
        }
        return number
    }

    fun complete() = say {
        captureComplete = org.facegate.v1.CaptureComplete.newBuilder().setAttempt(attempt).build()
    }

    fun decide(status: ScanStatus, another: Boolean = false, readyMs: Long = 60_000) = say {
        val result = ScanResult.newBuilder().setAttempt(attempt).setStatus(status).setAnotherAttempt(another)
        if (another) result.setReadyWithin(duration(readyMs))
        scanResult = result.build()
    }

    /** Tests a frame, which may have been sent before the device knew of the last pause. */
    fun checkFrame(request: ScanFaceRequest): FrameHeader {
        val frame = request.frame
        val header = FrameHeader.parseFrom(frame.header)
        check(header.attempt == attempt) { "a frame of attempt ${header.attempt} came in attempt $attempt" }
        check(header.index == frames) { "frame ${header.index} came instead of $frames" }
        check(header.captureTimeUs > server.lastCaptureUs) { "capture times do not rise" }
        server.lastCaptureUs = header.captureTimeUs
        val size = frame.image.size()
        check(credit.frames >= 1 && credit.bytes >= size) { "a frame of $size bytes exceeds the credit" }
        credit = credit.toBuilder().setFrames(credit.frames - 1).setBytes(credit.bytes - size).build()
        val mac = chain.addFrame(frame.header.toByteArray(), frame.image.toByteArray())
        check(mac.contentEquals(frame.mac.toByteArray())) { "the MAC is wrong" }
        check(header.flashStep < nextStep) { "a frame names a step that was not revealed" }
        if (header.flashStep > 0) {
            val since = steps.getOrPut(header.flashStep) { header.flashStepSinceUs }
            check(since == header.flashStepSinceUs && since <= header.captureTimeUs) { "a step has two times" }
        }
        frames += 1
        answered = true
        dropped += header.droppedBefore
        server.mostFrames = maxOf(server.mostFrames, frames)
        server.scanBytes += size
        return header
    }

    /** Reads frames until the attempt ends; null if the device left. */
    suspend fun end(): AttemptEndBody? {
        while (true) {
            val message = next() ?: return null
            when (message.messageCase) {
                MessageCase.FRAME -> checkFrame(message)
                MessageCase.ATTEMPT_END -> return checkEnd(message)
                else -> error("in an attempt came ${message.messageCase}")
            }
        }
    }

    fun checkEnd(message: ScanFaceRequest): AttemptEndBody {
        val end = message.attemptEnd
        val body = AttemptEndBody.parseFrom(end.body)
        check(body.attempt == attempt && body.frameCount == frames) { "the end states other frames: $body" }
        check(body.lastMac.toByteArray().contentEquals(chain.value)) { "the end states another MAC" }
        check(body.droppedCount >= dropped) { "the end states fewer dropped frames" }
        check(isSigned(Transcript.attemptEnd(binding, end.body.toByteArray()), end.signature))
        return body
    }

    /** Waits until the person is ready; false if the device left. */
    suspend fun ready(): Boolean {
        val message = next() ?: return false
        check(message.hasAttemptReady() && message.attemptReady.afterAttempt == attempt) { "instead of ready came $message" }
        return true
    }

    /** Waits for the end of the device's side. */
    suspend fun left() {
        check(next() == null) { "a message came after the last result" }
    }

    private fun isSigned(message: ByteArray, signature: ByteString) =
        isSignedBy(start.sessionPublicKey.toByteArray(), message, signature.toByteArray())
}

/** One attempt without events, which takes some frames. */
internal suspend fun FakeStream.capture(number: Int, frames: Int = 5, plan: Plan = Plan.PLAN_EXPRESS): Boolean {
    begin(number, plan, frames = 100, bytes = 10_000_000)
    repeat(frames) {
        val message = next() ?: return false
        if (message.hasAttemptEnd()) {
            checkEnd(message)
            return false
        }
        checkFrame(message)
    }
    return true
}

internal suspend fun FakeStream.succeed() {
    complete()
    end() ?: return
    delay(200)
    decide(ScanStatus.SCAN_STATUS_SUCCESS)
    left()
}
