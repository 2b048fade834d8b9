package org.facegate.android.camera

import android.Manifest
import android.annotation.SuppressLint
import android.content.Context
import android.content.pm.PackageManager
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CameraMetadata
import android.hardware.camera2.CaptureRequest
import android.hardware.camera2.CaptureResult
import android.hardware.camera2.TotalCaptureResult
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import android.os.SystemClock
import android.util.Range
import android.view.Surface
import kotlin.coroutines.Continuation
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.suspendCancellableCoroutine
import org.facegate.android.CameraChoice
import org.facegate.android.NewerAndroid
import org.facegate.android.picture.BufferPool
import org.facegate.android.picture.Nv21
import org.facegate.android.picture.PhoneFrame
import org.facegate.android.picture.isBlack
import org.facegate.android.picture.toNv21
import org.facegate.core.CameraException
import org.facegate.core.CameraProblem
import org.facegate.core.Clock
import org.facegate.core.FrameListener
import org.facegate.core.FrameSource
import org.facegate.core.Size
import org.facegate.v1.CameraProfile

/** Where the preview is shown. */
internal interface Preview {
    /** Null until the view has one, and once it has none any longer. */
    val texture: SurfaceTexture?

    /** How far the screen's content is turned, degrees. */
    val displayTurn: Int

    /** The camera gives such pictures. Called on any thread, and again if the screen is turned. */
    fun showing(view: PreviewForm)
}

/** The camera of a phone, by Camera2. It has one thread, on which everything of the camera happens. */
internal class Camera2FrameSource(
    private val context: Context,
    private val choice: CameraChoice,
    private val preview: Preview,
) : FrameSource, Clock {
    private val manager = context.getSystemService(CameraManager::class.java)
    private val thread = HandlerThread("facegate-camera").apply { start() }
    private val handler = Handler(thread.looper)
    private val machine = CameraMachine()
    private val matcher = ExposureMatcher<Taken>()
    private val hold = ExposureHold()
    private val pool = BufferPool(BUFFERS)
    private val tick = Runnable { act(machine.tick(now())) }

    /** Openings that Android has not answered yet. */
    private val asked = mutableSetOf<Int>()
    private val devices = mutableMapOf<Int, CameraDevice>()
    private var reader: ImageReader? = null

    /** Has the running session go on with its exposure held, or not. */
    private var repeat: ((held: Boolean) -> Unit)? = null
    private var previewSurface: Surface? = null
    private var waitingForPreview: Runnable? = null

    private var listener: FrameListener? = null
    private var opening: Continuation<Unit>? = null
    private var setup: Setup? = null
    private var form: PreviewForm? = null
    private var lastUs = 0L
    private var lost = 0

    /** It never changes, because the scan measures everything on it. */
    private val clock: CaptureClock
    private var correctionNs: Long? = 0

    @Volatile private var stated: CameraProfile = CameraProfile.getDefaultInstance()

    @Volatile private var upright = Size(UPRIGHT.width, UPRIGHT.height)

    init {
        val camera = runCatching { chooseCamera(manager.describeAll(), choice.external) }.getOrNull()
        clock = if (camera?.realTime == false) CaptureClock.MONOTONIC else CaptureClock.BOOT
    }

    override val profile: CameraProfile get() = stated

    @Volatile override var reportsExposure: Boolean = false
        private set

    @Volatile override var locksExposure: Boolean = false
        private set
    override val uprightSize: Size get() = upright

    override fun nowUs(): Long = clock.at(moment()) / NS_IN_US

    /** A time of the screen (`System.nanoTime`) on the clock of the frames, microseconds. */
    fun screenUs(screenNs: Long): Long = clock.ofScreen(screenNs, moment()) / NS_IN_US

    /** Colours are on the screen, or not any longer. */
    fun flashing(on: Boolean) {
        handler.post {
            if (on) hold.begin(now()) else if (hold.end()) holdExposure(false)
        }
    }

    private fun holdExposure(held: Boolean) {
        // A camera that is lost meanwhile says so itself.
        runCatching { repeat?.invoke(held) }
    }

    private fun moment() = Moment(System.nanoTime(), SystemClock.elapsedRealtimeNanos())

    override suspend fun open(listener: FrameListener): Unit = suspendCancellableCoroutine { caller ->
        caller.invokeOnCancellation { close() }
        val begins = handler.post {
            this.listener = listener
            opening = caller
            try {
                setup = setUp()
                act(machine.open(now()))
            } catch (problem: CameraException) {
                end(problem)
            } catch (problem: Exception) {
                end(CameraException(troubleOf(problem).problem, "the cameras cannot be read", problem))
            }
        }
        if (!begins) caller.resumeWithException(CameraException(CameraProblem.FAILED, "the camera was released"))
    }

    override fun close() {
        handler.post {
            listener = null
            opening = null
            act(machine.close(now()))
        }
    }

    /**
     * The app was hidden, and its preview with it: the camera is given up, so that it gets the new preview when the
     * person is back. A moment later, so that the scan hears first why.
     */
    fun hidden() {
        handler.postDelayed({ devices.keys.maxOrNull()?.let { act(machine.failed(it, Trouble.BUSY, now())) } }, HIDDEN_MS)
    }

    /** Closes the camera and ends the thread, for good. */
    fun release() {
        close()
        handler.post(::quitAtRest)
    }

    private fun quitAtRest() {
        if (machine.deadlineMs == null) thread.quitSafely() else handler.postDelayed(::quitAtRest, POLL_MS)
    }

    private fun setUp(): Setup {
        if (context.checkSelfPermission(Manifest.permission.CAMERA) != PackageManager.PERMISSION_GRANTED) {
            throw CameraException(CameraProblem.DENIED, "the app may not use the camera")
        }
        val facts = chooseCamera(manager.describeAll(), choice.external)
            ?: throw CameraException(CameraProblem.MISSING, "no camera faces the person and gives coloured pictures")
        val camera = manager.getCameraCharacteristics(facts.id)
        val form = previewForm(facts.direction, camera.sensorTurn, preview.displayTurn, choice.turnDegrees, 4, 3)
        val size = checkNotNull(chooseSize(facts.sizes, lying = form.frameTurn % 180 == 0)) { "the camera has no size" }
        return Setup(facts, camera, size, chooseRate(facts.rates))
    }

    private fun formOf(setup: Setup, width: Int, height: Int): PreviewForm =
        previewForm(setup.facts.direction, setup.camera.sensorTurn, preview.displayTurn, choice.turnDegrees, width, height)

    private fun act(tasks: List<CameraTask>) {
        for (task in tasks) {
            when (task) {
                is CameraTask.Open -> openCamera(task.number)
                is CameraTask.Configure -> configure(task.number, now())
                is CameraTask.Close -> closeCamera(task.number)
                CameraTask.Started -> {
                    opening?.resume(Unit)
                    opening = null
                }
                is CameraTask.Failed -> end(CameraException(task.trouble.problem, "the camera gives no pictures: ${task.trouble}"))
            }
        }
        handler.removeCallbacks(tick)
        machine.deadlineMs?.let { handler.postAtTime(tick, it) }
    }

    /** Tells who waits for the camera, or uses it, that there is none. */
    private fun end(problem: CameraException) {
        val caller = opening
        val user = listener
        opening = null
        listener = null
        if (caller != null) caller.resumeWithException(problem) else user?.onLost(problem.problem)
    }

    // setUp() asked whether it is permitted; if it no longer is, Android throws, and the scan is told.
    @SuppressLint("MissingPermission")
    private fun openCamera(number: Int) {
        val callback = object : CameraDevice.StateCallback() {
            override fun onOpened(camera: CameraDevice) {
                asked -= number
                devices[number] = camera
                act(machine.opened(number, now()))
            }

            override fun onClosed(camera: CameraDevice) = act(machine.closed(number, now()))

            override fun onDisconnected(camera: CameraDevice) = failed(camera, Trouble.BUSY)

            override fun onError(camera: CameraDevice, error: Int) = failed(
                camera,
                when (error) {
                    ERROR_CAMERA_IN_USE, ERROR_MAX_CAMERAS_IN_USE -> Trouble.BUSY
                    ERROR_CAMERA_DISABLED -> Trouble.DENIED
                    else -> Trouble.FAILED
                },
            )

            private fun failed(camera: CameraDevice, trouble: Trouble) {
                asked -= number
                devices[number] = camera
                act(machine.failed(number, trouble, now()))
            }
        }
        try {
            asked += number
            manager.openCamera(checkNotNull(setup).facts.id, callback, handler)
        } catch (problem: Exception) {
            asked -= number
            later { machine.failed(number, troubleOf(problem), now()) }
        }
    }

    private fun configure(number: Int, sinceMs: Long) {
        val device = devices[number] ?: return
        val texture = preview.texture
        if (texture == null && now() - sinceMs < PREVIEW_MS) {
            waitingForPreview = Runnable { configure(number, sinceMs) }.also { handler.postDelayed(it, POLL_MS) }
            return
        }
        val (_, _, size) = checkNotNull(setup)
        val images = ImageReader.newInstance(size.width, size.height, ImageFormat.YUV_420_888, BUFFERS)
        images.setOnImageAvailableListener({
            try {
                take(number, it)
            } catch (_: RuntimeException) {
                // A reader that was closed meanwhile, or planes that are not as Android promises.
                act(machine.failed(number, Trouble.FAILED, now()))
            }
        }, handler)
        reader = images
        previewSurface = texture?.let {
            it.setDefaultBufferSize(size.width, size.height)
            Surface(it)
        }
        val surfaces = listOfNotNull(images.surface, previewSurface)
        val callback = object : CameraCaptureSession.StateCallback() {
            override fun onConfigured(session: CameraCaptureSession) {
                try {
                    val callbacks = captures(number)
                    val show = { held: Boolean -> session.setRepeatingRequest(request(device, surfaces, held), callbacks, handler) }
                    show(false)
                    repeat = { show(it) }
                    act(machine.configured(number))
                } catch (problem: Exception) {
                    act(machine.failed(number, troubleOf(problem), now()))
                }
            }

            override fun onConfigureFailed(session: CameraCaptureSession) =
                act(machine.failed(number, Trouble.FAILED, now()))
        }
        try {
            NewerAndroid.createSession(device, surfaces, callback) { handler.post(it) }
        } catch (problem: Exception) {
            later { machine.failed(number, troubleOf(problem), now()) }
        }
    }

    private fun request(device: CameraDevice, surfaces: List<Surface>, held: Boolean): CaptureRequest {
        val (_, camera, _, rate) = checkNotNull(setup)
        return device.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW).apply {
            surfaces.forEach(::addTarget)
            if (rate != null) set(CaptureRequest.CONTROL_AE_TARGET_FPS_RANGE, Range(rate.lower, rate.upper))
            val focus = camera[CameraCharacteristics.CONTROL_AF_AVAILABLE_MODES] ?: IntArray(0)
            if (CameraMetadata.CONTROL_AF_MODE_CONTINUOUS_VIDEO in focus) {
                set(CaptureRequest.CONTROL_AF_MODE, CameraMetadata.CONTROL_AF_MODE_CONTINUOUS_VIDEO)
            }
            if (held) {
                set(CaptureRequest.CONTROL_AE_LOCK, true)
                set(CaptureRequest.CONTROL_AWB_LOCK, true)
            }
            NewerAndroid.run { uncut(camera) }
        }.build()
    }

    private fun captures(number: Int) = object : CameraCaptureSession.CaptureCallback() {
        override fun onCaptureCompleted(session: CameraCaptureSession, request: CaptureRequest, result: TotalCaptureResult) {
            if (number !in devices) return
            if (locksExposure && hold.due(result.settled, now())) holdExposure(true)
            val timestamp = result[CaptureResult.SENSOR_TIMESTAMP] ?: return
            matcher.exposure(timestamp, result.exposure())?.let { (taken, exposure) -> deliver(taken, exposure) }
        }

        override fun onCaptureBufferLost(session: CameraCaptureSession, request: CaptureRequest, target: Surface, frame: Long) {
            if (target == reader?.surface) lost += 1
        }
    }

    private fun take(number: Int, images: ImageReader) {
        if (number !in devices) return
        var newest = images.acquireNextImage() ?: return
        while (true) {
            val next = images.acquireNextImage() ?: break
            newest.close()
            newest = next
            lost += 1
        }
        val arrival = moment()
        val timestamp = newest.timestamp
        val picture = newest.use { it.yuv().toNv21(pool.take()) }
        val setup = setup
        if (setup == null) return pool.give(picture.bytes)
        val black = picture.isBlack()
        if (opening != null && !black) begin(setup, timestamp, arrival, picture)
        act(machine.picture(number, black, now()))
        if (listener == null || black) return pool.give(picture.bytes)
        val captureUs = (correctionNs?.let { timestamp + it } ?: clock.at(arrival)) / NS_IN_US
        if (captureUs <= lastUs) return pool.give(picture.bytes)
        lastUs = captureUs
        val seen = formOf(setup, picture.width, picture.height)
        if (seen != form) show(seen)
        val taken = Taken(picture, captureUs, seen.frameTurn, lost)
        lost = 0
        for ((frame, exposure) in matcher.frame(timestamp, taken)) deliver(frame, exposure)
    }

    /** States what the first picture shows. */
    private fun begin(setup: Setup, timestamp: Long, arrival: Moment, picture: Nv21) {
        correctionNs = clock.correction(timestamp, arrival)
        val source = if (correctionNs == null) "unknown" else clock.source
        stated = profileOf(setup.facts, setup.size, setup.rate, source)
        reportsExposure = setup.facts.reportsExposure
        locksExposure = setup.facts.locksExposure
        show(formOf(setup, picture.width, picture.height))
    }

    private fun show(seen: PreviewForm) {
        form = seen
        upright = seen.upright
        preview.showing(seen)
    }

    private fun deliver(taken: Taken, exposure: Exposure) {
        val (picture, captureUs, turn, lost) = taken
        val user = listener ?: return pool.give(picture.bytes)
        user.onFrame(PhoneFrame(picture, captureUs, turn, exposure.message(), lost, AndroidJpeg, pool::give))
    }

    private fun closeCamera(number: Int) {
        waitingForPreview?.let(handler::removeCallbacks)
        waitingForPreview = null
        matcher.clear()?.let { pool.give(it.picture.bytes) }
        val device = devices.remove(number)
        if (device == null) {
            // Without an answer to wait for, it is closed.
            if (number !in asked) later { machine.closed(number, now()) }
            return
        }
        repeat = null
        hold.end()
        device.close()
        reader?.close()
        reader = null
        previewSurface?.release()
        previewSurface = null
    }

    /** Lets the tasks that are being carried out end first. */
    private fun later(event: () -> List<CameraTask>) {
        handler.post { act(event()) }
    }

    private fun now() = SystemClock.uptimeMillis()

    private data class Setup(
        val facts: CameraFacts,
        val camera: CameraCharacteristics,
        val size: Resolution,
        val rate: RateRange?,
    )

    private data class Taken(val picture: Nv21, val captureUs: Long, val turn: Int, val lost: Int)

    private companion object {
        const val BUFFERS = 4
        const val POLL_MS = 40L
        const val HIDDEN_MS = 300L
        const val NS_IN_US = 1000L
        /** A view without a preview after this time gets none; the hints still guide the person. */
        const val PREVIEW_MS = 1500L
        val UPRIGHT = Resolution(480, 640)
    }
}

private val Trouble.problem: CameraProblem
    get() = when (this) {
        Trouble.DENIED -> CameraProblem.DENIED
        Trouble.MISSING -> CameraProblem.MISSING
        Trouble.BUSY -> CameraProblem.BUSY
        Trouble.NO_PICTURE -> CameraProblem.NO_PICTURE
        Trouble.FAILED -> CameraProblem.FAILED
    }
