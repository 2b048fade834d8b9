package org.facegate.android

import android.Manifest
import android.animation.ValueAnimator
import android.app.Activity
import android.app.Application
import android.app.Dialog
import android.content.pm.PackageManager
import android.hardware.display.DisplayManager
import android.os.Build
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.view.Display
import android.view.HapticFeedbackConstants
import android.view.Surface
import android.view.ViewGroup.LayoutParams.MATCH_PARENT
import android.view.WindowManager
import java.util.Locale
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import org.facegate.android.camera.Camera2FrameSource
import org.facegate.android.evidence.AndroidSessionKeys
import org.facegate.android.evidence.PhoneEvidence
import org.facegate.android.view.PhoneLight
import org.facegate.android.view.Deed
import org.facegate.android.view.ScanFlow
import org.facegate.android.view.ScanLayout
import org.facegate.android.view.Task
import org.facegate.android.view.handOver
import org.facegate.android.view.soon
import org.facegate.core.FaceScan
import org.facegate.core.Interruption
import org.facegate.core.Phone
import org.facegate.core.ScanOptions
import org.facegate.core.ScanOutcome
import org.facegate.core.ScanState
import org.facegate.core.ScanStatus
import org.facegate.core.Texts

/**
 * The screen of a scan, over your activity, from the first card to the last. Call everything on the main thread.
 *
 * It asks for the camera itself, and closes with the activity: declare the `configChanges` of the README, or a turn of the
 * phone ends the scan. After the death of its process a scan cannot go on; the app asks its backend for a new check.
 *
 * `onResult` is told once after each start how the scan ended, before the person closes the screen, or when it is closed.
 */
public class FacegateScreen(
    private val activity: Activity,
    private val options: FacegateOptions,
    private val tickets: TicketSource,
    private val onResult: (FacegateResult) -> Unit,
) {
    private val languages = options.languages.ifEmpty { listOf(Locale.getDefault().toLanguageTag()) }
    private val texts = Texts.of(*languages.toTypedArray())
    private val main = Handler(Looper.getMainLooper())
    private val application: Application = activity.application
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val layout = ScanLayout(activity, ::act, ::tapped)
    private val dialog = ScanDialog()
    private val flow = ScanFlow(
        texts,
        // A window that is a part of the screen lights up too little of it.
        flash = options.flash && !activity.isInMultiWindowMode,
        calm = !ValueAnimator.areAnimatorsEnabled(),
        intro = options.intro,
        closeLabel = activity.getString(android.R.string.ok),
    )
    private var camera: Camera2FrameSource? = null
    private var scan: FaceScan? = null
    private var running: Job? = null
    private var felt: ScanState = ScanState.Idle
    private var closed = false

    /** Shows the screen. Call it once. */
    public fun show() {
        check(!closed) { "the screen was closed; make another one" }
        layout.begin(texts.screen("cancel"), rightToLeft = texts.language == "ar")
        dialog.show()
        turned()
        application.registerActivityLifecycleCallbacks(life)
        activity.getSystemService(DisplayManager::class.java).registerDisplayListener(displays, main)
        carryOut(flow.begin())
        main.postDelayed(::tick, TICK_MS)
    }

    /** What is awaited is shown to be awaited. */
    private fun tick() {
        if (closed) return
        carryOut(flow.tick(permitted()))
        main.postDelayed(::tick, TICK_MS)
    }

    /** Ends a running scan, without a word to the person, and closes the screen. */
    public fun close() {
        if (closed) return
        closed = true
        application.unregisterActivityLifecycleCallbacks(life)
        activity.getSystemService(DisplayManager::class.java).unregisterDisplayListener(displays)
        flow.closed().forEach { if (it is Task.Report) onResult(it.result) }
        scan?.cancel()
        // It tells the server first that the person left.
        val ending = running
        if (ending == null) end() else ending.invokeOnCompletion { end() }
        main.postDelayed(::end, LEAVE_MS)
        if (dialog.isShowing) dialog.dismiss()
    }

    private fun end() {
        scope.cancel()
        camera?.release()
    }

    private fun act(deed: Deed) = carryOut(flow.act(deed))

    private fun tapped() = carryOut(flow.tapped())

    private fun carryOut(tasks: List<Task>) {
        layout.show(flow.screen)
        for (task in tasks) {
            when (task) {
                Task.AskPermission -> askPermission()
                is Task.Scan -> start(task.flashes)
                Task.Cancel -> if (scan == null) close() else scan?.cancel()
                Task.Ready -> scan?.ready()
                Task.DeclineFlash -> scan?.declineFlash()
                is Task.Interrupt -> scan?.interrupt(task.interruption)
                is Task.Report -> onResult(task.result)
                Task.Close -> close()
            }
        }
    }

    private fun permitted() =
        activity.checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED

    private fun askPermission() {
        if (permitted()) return carryOut(flow.permission(true))
        // The activity is paused meanwhile and resumed when the person has answered, whatever it does with the answer itself.
        activity.requestPermissions(arrayOf(Manifest.permission.CAMERA), PERMISSION_REQUEST)
    }

    private fun start(flashes: Boolean) {
        scan = null
        felt = ScanState.Idle
        running = scope.launch {
            try {
                val ticket = tickets.soon(Dispatchers.IO)
                val made = FaceScan(
                    ScanOptions(options.server, ticket, texts.language, options.tls, options.trust),
                    phone(flashes),
                )
                onMain { scan = made }
                val telling = launch { made.state.handOver(::onMain, ::told) }
                try {
                    made.run()
                } finally {
                    telling.cancel()
                    onMain { told(made.state.value) }
                }
            } catch (cancelled: CancellationException) {
                throw cancelled
            } catch (problem: Throwable) {
                onMain { carryOut(flow.failed(problem)) }
            }
        }
    }

    private fun phone(flashes: Boolean): Phone {
        val source = camera ?: Camera2FrameSource(application, options.camera, layout).also { camera = it }
        val window = checkNotNull(dialog.window)
        return Phone(
            source,
            PhoneLight(
                application,
                window,
                display(),
                layout.light,
                flashes && !activity.isInMultiWindowMode,
                source::screenUs,
                source::flashing,
            ),
            PhoneEvidence(application, options.playIntegrity),
            AndroidSessionKeys(),
            source,
        )
    }

    private fun told(state: ScanState) {
        if (closed) return
        feel(state)
        carryOut(flow.scan(state))
    }

    /** A touch at the beginning, when the pictures are taken, and at the end: the person looks at the camera. */
    private fun feel(state: ScanState) {
        val before = felt
        felt = state
        if (before.javaClass == state.javaClass) return
        val touch = when (state) {
            is ScanState.Capturing -> HapticFeedbackConstants.VIRTUAL_KEY
            is ScanState.Deciding -> HapticFeedbackConstants.LONG_PRESS
            is ScanState.Finished -> endTouch(state.outcome)
            is ScanState.Waiting, is ScanState.Failed -> if (Build.VERSION.SDK_INT >= 30) HapticFeedbackConstants.REJECT else return
            else -> return
        }
        layout.performHapticFeedback(touch)
    }

    private fun endTouch(outcome: ScanOutcome): Int {
        val good = outcome.status == ScanStatus.SUCCESS || outcome.status == ScanStatus.COMPLETED
        if (Build.VERSION.SDK_INT < 30) return HapticFeedbackConstants.LONG_PRESS
        return if (good) HapticFeedbackConstants.CONFIRM else HapticFeedbackConstants.REJECT
    }

    private fun onMain(deed: () -> Unit) {
        main.post(deed)
    }

    private fun display(): Display = NewerAndroid.displayOf(activity)

    private fun turned() {
        val degrees = when (display().rotation) {
            Surface.ROTATION_90 -> 90
            Surface.ROTATION_180 -> 180
            Surface.ROTATION_270 -> 270
            else -> 0
        }
        if (degrees == layout.displayTurn) return
        layout.turned(degrees)
        carryOut(flow.interrupted(Interruption.TURNED))
    }

    private val displays = object : DisplayManager.DisplayListener {
        override fun onDisplayChanged(displayId: Int) = turned()

        override fun onDisplayAdded(displayId: Int) = Unit

        override fun onDisplayRemoved(displayId: Int) = Unit
    }

    private val life = object : Application.ActivityLifecycleCallbacks {
        override fun onActivityResumed(shown: Activity) {
            if (shown === activity) carryOut(flow.resumed(permitted()))
        }

        override fun onActivityStopped(stopped: Activity) {
            if (stopped !== activity) return
            carryOut(flow.interrupted(Interruption.HIDDEN))
            camera?.hidden()
        }

        override fun onActivityDestroyed(destroyed: Activity) {
            if (destroyed === activity) close()
        }

        override fun onActivityCreated(created: Activity, state: Bundle?) = Unit

        override fun onActivityStarted(started: Activity) = Unit

        override fun onActivityPaused(paused: Activity) {
            if (paused === activity) flow.paused()
        }

        override fun onActivitySaveInstanceState(saved: Activity, state: Bundle) = Unit
    }

    private inner class ScanDialog : Dialog(activity, android.R.style.Theme_Material_Light_NoActionBar) {
        override fun onCreate(state: Bundle?) {
            super.onCreate(state)
            setContentView(layout)
            setOnDismissListener { this@FacegateScreen.close() }
            window?.run {
                setLayout(MATCH_PARENT, MATCH_PARENT)
                addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
                if (options.secure) addFlags(WindowManager.LayoutParams.FLAG_SECURE)
                NewerAndroid.fillScreen(this)
            }
        }

        @Deprecated("Android calls it on every version for dialogs without a callback")
        override fun onBackPressed() = carryOut(flow.back())
    }

    private companion object {
        private const val PERMISSION_REQUEST = 0x0fac
        private const val TICK_MS = 1000L
        /** A scan that was left has so long to tell the server. */
        private const val LEAVE_MS = 3_000L
    }
}
