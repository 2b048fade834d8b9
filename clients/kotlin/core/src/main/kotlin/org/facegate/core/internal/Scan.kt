package org.facegate.core.internal

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.selects.select
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import org.facegate.core.AttemptResult
import org.facegate.core.CameraException
import org.facegate.core.CameraProblem
import org.facegate.core.FaceScan
import org.facegate.core.FacegateException
import org.facegate.core.InternalErrorException
import org.facegate.core.Interruption
import org.facegate.core.Phone
import org.facegate.core.Plan
import org.facegate.core.ProtocolViolatedException
import org.facegate.core.ScanCancelledException
import org.facegate.core.ScanEndedException
import org.facegate.core.ScanOptions
import org.facegate.core.ScanOutcome
import org.facegate.core.ScanState
import org.facegate.core.ScanStatus
import org.facegate.core.ServerRefusedException
import org.facegate.core.SessionKey
import org.facegate.core.UnsupportedDeviceException
import org.facegate.v1.AttemptStart
import org.facegate.v1.Capability
import org.facegate.v1.ScanFaceResponse.MessageCase
import org.facegate.v1.ScanResult
import org.facegate.v1.ScanStart
import java.util.concurrent.atomic.AtomicBoolean
import kotlin.math.max
import kotlin.math.min
import kotlin.random.Random

/** The time for a last message to the server, once the person left. */
private const val LEAVE_MS = 3000L

/** The times of what the app gave: a key, a camera that is asked four times, a signature that the server waits for. */
private const val KEY_MS = 15_000L
private const val CAMERA_MS = 30_000L
private const val SIGN_MS = 5000L
private const val PROFILE_MS = 10_000L

/** The most that a policy can allow; a server that asks for more is not heard. */
private const val LONGEST_SCAN_MS = 3_600_000L
private const val MOST_ATTEMPTS = 61

/** The time after the deadline in which a verdict, or the server's own word about the deadline, may still come, beside evidence. */
private const val GRACE_MS = 5000L
private const val LONGEST_EVIDENCE_MS = 120_000L
private const val MOST_FEEDBACK = 8
private const val WORKERS = 8
private const val LONGEST_LANGUAGE = 35
private const val NETWORK_TOO_SLOW = "NETWORK_TOO_SLOW"
private const val CAPTURE_TOO_SLOW = "CAPTURE_TOO_SLOW"
private const val SERVER_BUSY = "SERVER_BUSY"

/** Where a scan runs, and how it connects. */
internal class Environment(
    /** One thread at a time. */
    val dispatcher: CoroutineDispatcher = Dispatchers.Default.limitedParallelism(1),
    /** Where the app's code runs, whose threads may be blocked. */
    val workers: CoroutineDispatcher = Dispatchers.IO.limitedParallelism(WORKERS),
    val random: Random = Random.Default,
    val connect: () -> Wire,
)

/** The session key of the app: it is asked for its public part once, and does not sign for long. */
private class GuardedKey(private val key: SessionKey, private val app: AppCalls) : SessionKey by key {
    override val publicDer: ByteArray = key.publicDer

    override suspend fun sign(message: ByteArray): ByteArray =
        app.call(SIGN_MS, late = { throw UnsupportedDeviceException("the session key does not sign") }) { key.sign(message) }
}

/** The result of an attempt, as the app and as the scan see it. */
private class Ending(val told: AttemptResult, val left: Boolean)

internal class Scan(
    private val options: ScanOptions,
    private val phone: Phone,
    private val environment: Environment,
) : FaceScan {
    private val progress = Progress(phone.clock)
    private val app = AppCalls(environment.workers)
    private val evidence = ScanEvidence(phone.evidence, app)
    private val tally = Tally()
    private val tap = FrameTap()
    private val begun = AtomicBoolean()
    private val cancellation = CompletableDeferred<Unit>()
    private val decline = CompletableDeferred<Unit>()
    private val readiness = Channel<Unit>(Channel.CONFLATED)
    private val interruptions = Channel<Interruption>(Channel.CONFLATED)
    @Volatile
    private var session: SessionKey? = null
    private var stream: ScanStream? = null
    private var attempt: Attempt? = null

    /** The result after which the person has to be ready. */
    private var awaited: AttemptResult? = null
    private var streams = 0

    /** Whether the server ever answered, with a Challenge or a refusal. */
    private var answered = false
    private var results = 0
    private var begunAttempts = 0
    private var endsAtUs = Long.MAX_VALUE

    override val state: StateFlow<ScanState> = progress.flow.asStateFlow()

    override fun cancel() {
        cancellation.complete(Unit)
    }

    override fun declineFlash() {
        decline.complete(Unit)
    }

    override fun ready() {
        readiness.trySend(Unit)
    }

    override fun interrupt(interruption: Interruption) {
        interruptions.trySend(interruption)
    }

    override suspend fun run(): ScanOutcome {
        check(begun.compareAndSet(false, true)) { "a scan runs once" }
        try {
            val outcome = withContext(environment.dispatcher) {
                val beside = launch { progress.tick() }
                launch { obey() }.invokeOnCompletion { beside.cancel() }
                scan().also { coroutineContext.cancelChildren() }
            }
            progress.enter(ScanState.Finished(outcome))
            return outcome
        } catch (error: Throwable) {
            val shown = when (error) {
                is FacegateException -> error
                is CancellationException -> ScanCancelledException()
                else -> InternalErrorException(error)
            }
            progress.enter(ScanState.Failed(shown))
            throw if (error is CancellationException) error else shown
        }
    }

    /** Does what the person and the app ask for, beside the scan. */
    private suspend fun obey() = coroutineScope {
        launch {
            cancellation.await()
            attempt?.cancel()
        }
        launch {
            decline.await()
            attempt?.takeIf { it.plan == Plan.FLASH }?.let { running ->
                // After a colour the scan ends, because its next attempt would flash again.
                if (running.coloured) cancel() else running.cancel()
            }
        }
        for (interruption in interruptions) attempt?.interrupt(interruption)
    }

    private suspend fun scan(): ScanOutcome {
        progress.enter(ScanState.OpeningCamera())
        try {
            val session = unlessCancelled { makeKey() }
            openCamera()
            return orLeave { overStreams(session) }
        } finally {
            withContext(NonCancellable) { cleanUp() }
        }
    }

    private suspend fun makeKey(): SessionKey = app.call(
        KEY_MS,
        late = { throw UnsupportedDeviceException("no session key was made within ${KEY_MS / 1000} seconds") },
        unclaimed = { it.delete() },
    ) { GuardedKey(phone.keys.newSessionKey(), app).also { session = it } }

    private suspend fun cleanUp() = coroutineScope {
        tap.close()
        stream?.drop()
        app.onScreenLater(phone.screen::restore)
        launch { app.screenIsDone() }
        launch { app.cleanUp(phone.camera::close) }
        launch { app.cleanUp { session?.delete() } }
    }

    /** Gives the work up if it is not over soon after the person left. */
    private suspend fun <T> orLeave(work: suspend () -> T): T = coroutineScope {
        val working = async { work() }
        val late = async {
            cancellation.await()
            delay(LEAVE_MS)
        }
        select {
            working.onAwait { it }
            late.onAwait { throw ScanCancelledException() }
        }.also { late.cancel() }
    }

    private suspend fun openCamera() {
        progress.enter(ScanState.OpeningCamera())
        tap.problem = null
        unlessCancelled {
            try {
                app.call(
                    CAMERA_MS,
                    late = { throw CameraException(CameraProblem.FAILED, "the camera does not open") },
                    unclaimed = { phone.camera.close() },
                ) { phone.camera.open(tap) }
            } catch (error: CancellationException) {
                throw error
            } catch (error: FacegateException) {
                throw error
            } catch (error: Exception) {
                throw CameraException(CameraProblem.FAILED, "the camera cannot be opened: $error", error)
            }
        }
    }

    private suspend fun overStreams(session: SessionKey): ScanOutcome {
        var failures = 0
        var sinceResult = 0
        var lost: StreamLost? = null
        while (true) {
            val before = results
            try {
                return overStream(session)
            } catch (error: StreamLost) {
                stream?.drop()
                failures += 1
                sinceResult = if (results > before) 1 else sinceResult + 1
                lost = error
                reconnect(failures, sinceResult, error)
            } catch (error: ServerRefusedException) {
                stream?.drop()
                val closed = error.refusal.reason == "CHECK_CLOSED"
                if (tally.awaited != null && closed && "decidedByAttempt" in error.refusal.metadata) {
                    return outcome(ScanStatus.COMPLETED, emptyList(), null)
                }
                // The lost connection used up the last attempt.
                if (lost != null && closed && "maxAttempts" in error.refusal.metadata) throw lost.last
                throw error
            }
        }
    }

    private suspend fun reconnect(failures: Int, sinceResult: Int, error: StreamLost) {
        if (cancellation.isCompleted) throw ScanCancelledException()
        val waitMs = backoffMs(sinceResult, error.retryAfterMs, environment.random)
        answered = answered || streams > 0 || error.last is ServerRefusedException
        if (failures > (if (answered) MOST_RECONNECTS else MOST_FIRST_RETRIES)) throw error.last
        if (waitMs * 1000 > leftUs) throw error.last
        progress.enter(ScanState.Reconnecting(failures, waitMs, reached = streams > 0))
        withTimeoutOrNull(waitMs) { cancellation.await() }
        untilReady()
    }

    private val leftUs: Long
        get() = if (endsAtUs == Long.MAX_VALUE) Long.MAX_VALUE else endsAtUs - phone.clock.nowUs()

    /** Waits for the person, because a new stream starts an attempt at once. */
    private suspend fun untilReady() {
        val last = awaited
        if (last != null && options.waitsForPerson && !cancellation.isCompleted) {
            progress.enter(ScanState.Waiting(last.copy(readyWithinMs = 0), leftMs = 0))
            withTimeoutOrNull(max(0, leftUs / 1000)) {
                select<Unit> {
                    cancellation.onAwait { }
                    readiness.onReceive { }
                }
            } ?: throw ScanEndedException("DEADLINE")
        }
        awaited = null
        if (cancellation.isCompleted) throw ScanCancelledException()
    }

    private suspend fun <T> unlessCancelled(block: suspend () -> T): T = coroutineScope {
        val work = async { block() }
        select {
            cancellation.onAwait { throw ScanCancelledException() }
            work.onAwait { it }
        }
    }

    private suspend fun open(session: SessionKey): ScanStream = coroutineScope {
        progress.enter(ScanState.Connecting())
        val profile = unlessCancelled {
            app.call(PROFILE_MS, late = { throw UnsupportedDeviceException("the phone does not say what it is") }) { profile() }
        }
        val opening = async { ScanStream.open(environment.connect, options.ticket, session, profile) }
        select {
            opening.onAwait { it }
            cancellation.onAwait {
                // Half-closed, so that the check does not stay open.
                opening.await().close()
                throw ScanCancelledException()
            }
        }
    }

    private suspend fun overStream(session: SessionKey): ScanOutcome {
        val stream = open(session)
        this.stream = stream
        streams += 1
        val challenge = stream.challenge
        val stated = if (challenge.hasScanDeadline()) {
            challenge.scanDeadline.milliseconds - challenge.serverTime.milliseconds
        } else {
            LONGEST_SCAN_MS
        }
        // A later stream does not put it off.
        endsAtUs = min(endsAtUs, phone.clock.nowUs() + stated.coerceIn(0, LONGEST_SCAN_MS) * 1000)
        progress.enter(ScanState.Connected(ovalIn(phone.camera.uprightSize, challenge.oval.takeIf { challenge.hasOval() })))
        if (challenge.resumeProofRequired) stream.sendResumeProof()
        return coroutineScope {
            val proving = launch { evidence.send(stream) }
            val overdue = launch {
                val evidenceMs = challenge.attestation.grace.milliseconds.coerceIn(0, LONGEST_EVIDENCE_MS)
                delay(leftUs / 1000 + GRACE_MS + evidenceMs)
                throw ScanEndedException("DEADLINE")
            }
            val last = attempts(stream)
            overdue.cancel()
            proving.cancel()
            stream.close()
            if (cancellation.isCompleted && (last.left || last.told.status == ScanStatus.RETRY)) {
                throw ScanCancelledException()
            }
            outcome(last.told.status, last.told.feedback, last.told.interruption)
        }
    }

    /** Makes attempts until one is the last. */
    private suspend fun attempts(stream: ScanStream): Ending {
        var lastStep = 0
        while (true) {
            val next = nextAttempt(stream)
            val made = (next as? Next.Start)?.let { newAttempt(stream, it.start, lastStep) }
            val result = when (next) {
                is Next.Result -> next.result
                is Next.Start -> checkNotNull(made).first.run()
            }
            attempt = null
            lastStep = made?.second?.last ?: lastStep
            results += 1
            val told = told(result, made?.first)
            val ending = Ending(told, made?.first?.cancelled == true)
            if (!told.anotherAttempt || cancellation.isCompleted) return ending
            // A person that waits sees why, also before a new stream.
            awaited = told.takeIf { result.hasReadyWithin() }
            while (readiness.tryReceive().isSuccess) continue
            progress.enter(ScanState.Waiting(told, told.readyWithinMs))
        }
    }

    private suspend fun newAttempt(stream: ScanStream, start: AttemptStart, lastStep: Int): Pair<Attempt, FlashShow?> {
        val plan = planOf(start)
        val screen = phone.screen
        if ((plan == Plan.FLASH && !screen.flashes) || (plan == Plan.MOVEMENT && !screen.movesOval)) {
            throw ProtocolViolatedException("the server asks for an attempt that this device did not announce")
        }
        begunAttempts += 1
        if (begunAttempts > MOST_ATTEMPTS) throw ProtocolViolatedException("the server asks for more than $MOST_ATTEMPTS attempts")
        val show = if (plan == Plan.FLASH) FlashShow(screen, phone.clock, app, lastStep) else null
        val made = Attempt(
            start,
            AttemptContext(stream, phone, tap, tally, progress, app, endsAtUs, plan, show),
        )
        attempt = made
        tally.awaited = null
        while (interruptions.tryReceive().isSuccess) continue
        val oval = ovalIn(phone.camera.uprightSize, start.oval.takeIf { start.hasOval() })
        progress.enter(ScanState.Capturing(start.attempt, plan, oval))
        if (cancellation.isCompleted || (plan == Plan.FLASH && decline.isCompleted)) made.cancel()
        return Pair(made, show)
    }

    /** Waits for the next attempt, or for a result that was not received because the connection was lost. */
    private suspend fun nextAttempt(stream: ScanStream): Next = coroutineScope {
        val receiving = async { receiveAttempt(stream) }
        val last = awaited
        if (last != null) {
            if (options.waitsForPerson) {
                val early = select<Next?> {
                    cancellation.onAwait { null }
                    receiving.onAwait { it }
                    readiness.onReceive { null }
                }
                if (early != null) return@coroutineScope early.also { awaited = null }
            }
            if (cancellation.isCompleted) leave(stream, receiving)
            // A camera that was lost is opened again before the server waits for its frames.
            if (tap.problem != null) {
                app.cleanUp(phone.camera::close)
                openCamera()
            }
            awaited = null
            stream.sendReady(last.attempt)
        }
        withTimeoutOrNull(RESULT_MS) {
            select {
                cancellation.onAwait { leave(stream, receiving) }
                receiving.onAwait { it }
            }
        } ?: throw StreamLost("no attempt began in time")
    }

    /** The person leaves between attempts: the scan ends for good. */
    private suspend fun leave(stream: ScanStream, receiving: Job): Nothing {
        receiving.cancelAndJoin()
        stream.close()
        throw ScanCancelledException()
    }

    private suspend fun receiveAttempt(stream: ScanStream): Next {
        while (true) {
            val message = stream.receive() ?: throw StreamLost("the server closed the stream without a result")
            when (message.messageCase) {
                MessageCase.ATTEMPT_START -> return Next.Start(message.attemptStart)
                MessageCase.SCAN_RESULT -> {
                    if (tally.awaited != message.scanResult.attempt) {
                        throw ProtocolViolatedException("a result came between attempts")
                    }
                    tally.awaited = null
                    return Next.Result(message.scanResult)
                }
                MessageCase.GOODBYE -> throw goodbyeError(message.goodbye)
                MessageCase.CHALLENGE -> throw ProtocolViolatedException("a second Challenge came")
                // It belongs to the last attempt, or to a later version.
                else -> Unit
            }
        }
    }

    private fun profile(): ScanStart {
        val screen = phone.screen
        val capabilities = buildList {
            add(Capability.CAPABILITY_CAPTURE_ADJUSTMENT)
            add(Capability.CAPABILITY_READY)
            if (phone.camera.reportsExposure) add(Capability.CAPABILITY_EXPOSURE_METADATA)
            if (phone.camera.locksExposure) add(Capability.CAPABILITY_EXPOSURE_LOCK)
            if (phone.evidence.reportsFindings) add(Capability.CAPABILITY_RUNTIME_FINDINGS)
            if (screen.flashes && !decline.isCompleted) {
                add(Capability.CAPABILITY_FLASH)
                if (screen.scrolls) add(Capability.CAPABILITY_FLASH_SCROLL)
            }
            if (screen.movesOval && showsMovement(phone.camera.uprightSize)) add(Capability.CAPABILITY_OVAL_CHANGE)
            if (screen.showsGestures) {
                add(Capability.CAPABILITY_OPEN_MOUTH)
                add(Capability.CAPABILITY_TURN_HEAD)
            }
        }
        return ScanStart.newBuilder()
            .addAllCapabilities(capabilities)
            .setDevice(phone.evidence.profile)
            .setCamera(phone.camera.profile)
            .setScreen(screen.profile)
            .setLanguage(options.language.take(LONGEST_LANGUAGE))
            .setResume(streams > 0)
            .build()
    }

    private fun outcome(status: ScanStatus, feedback: List<String>, interruption: Interruption?) =
        ScanOutcome(status, feedback, interruption, results, streams, tally.frames, tally.dropped)
}

private sealed class Next {
    class Start(val start: AttemptStart) : Next()

    class Result(val result: ScanResult) : Next()
}

private fun planOf(start: AttemptStart): Plan = when (start.plan) {
    org.facegate.v1.Plan.PLAN_UNSPECIFIED, org.facegate.v1.Plan.PLAN_EXPRESS -> Plan.EXPRESS
    org.facegate.v1.Plan.PLAN_FLASH -> Plan.FLASH
    org.facegate.v1.Plan.PLAN_MOVEMENT -> Plan.MOVEMENT
    else -> throw ProtocolViolatedException("the server asks for a plan of a later version")
}

private fun told(result: ScanResult, attempt: Attempt?): AttemptResult {
    val status = when (result.status) {
        org.facegate.v1.ScanStatus.SCAN_STATUS_SUCCESS -> ScanStatus.SUCCESS
        org.facegate.v1.ScanStatus.SCAN_STATUS_FAILURE -> ScanStatus.FAILURE
        org.facegate.v1.ScanStatus.SCAN_STATUS_COMPLETED -> ScanStatus.COMPLETED
        org.facegate.v1.ScanStatus.SCAN_STATUS_RETRY -> ScanStatus.RETRY
        else -> throw ProtocolViolatedException("a result has no status, or one of a later version")
    }
    return AttemptResult(
        attempt = result.attempt,
        status = status,
        feedback = feedback(result.feedbackList.take(MOST_FEEDBACK).map(::hintCode), status, attempt),
        anotherAttempt = result.anotherAttempt,
        interruption = attempt?.interruption,
        readyWithinMs = result.readyWithin.milliseconds.coerceIn(0, LONGEST_SCAN_MS),
    )
}

/**
 * The server's codes, and what the device itself knows: that a busy device sent too little, which looks like a slow network
 * to the server, and after a failure why, because the server may not say it.
 */
private fun feedback(codes: List<String>, status: ScanStatus, attempt: Attempt?): List<String> {
    val known = when {
        attempt == null -> return codes
        attempt.captureTooSlow -> CAPTURE_TOO_SLOW
        attempt.networkTooSlow -> NETWORK_TOO_SLOW
        else -> return codes
    }
    // A device cannot tell a busy server from a slow connection; the server can.
    if (known == NETWORK_TOO_SLOW && SERVER_BUSY in codes) return codes
    if (status == ScanStatus.FAILURE) return listOf(known) + (codes - setOf(NETWORK_TOO_SLOW, CAPTURE_TOO_SLOW))
    return if (known == CAPTURE_TOO_SLOW) codes.map { if (it == NETWORK_TOO_SLOW) known else it } else codes
}
