package org.facegate.android.view

import java.io.IOException
import java.util.concurrent.CancellationException
import org.facegate.android.FacegateResult
import org.facegate.core.Advice
import org.facegate.core.AttemptResult
import org.facegate.core.CameraException
import org.facegate.core.CameraProblem
import org.facegate.core.FacegateException
import org.facegate.core.Interruption
import org.facegate.core.Oval
import org.facegate.core.Plan
import org.facegate.core.ScanOutcome
import org.facegate.core.ScanState
import org.facegate.core.ScanStatus
import org.facegate.core.Texts

/** What a person can do. */
internal enum class Deed { START, WITH_COLOURS, WITHOUT_COLOURS, READY, CANCEL, CLOSE }

/** A button. */
internal data class Action(val label: String, val deed: Deed, val primary: Boolean = false)

/** What the screen shows. */
internal sealed interface Screen {
    /** Something to read and to answer. */
    data class Card(val title: String, val texts: List<String>, val actions: List<Action>) : Screen

    /** The camera's picture, or what is awaited before it comes. */
    data class Capture(
        /** What to show now. */
        val hint: String,
        val oval: Oval? = null,
        /** The time in which the oval moves there, milliseconds. */
        val ovalMs: Long = 0,
        val progress: Float = 0f,
        /** Whether something is awaited that the person cannot hasten. */
        val waiting: Boolean = false,
        /** Whole seconds of the wait, from the third on: so it is seen that the app goes on. */
        val seconds: Int? = null,
        val plan: Plan? = null,
    ) : Screen
}

/** What [ScanFlow] wants done. */
internal sealed interface Task {
    data object AskPermission : Task
    /** Get a ticket and scan. */
    data class Scan(val flashes: Boolean) : Task
    data object Cancel : Task
    data object Ready : Task
    data object DeclineFlash : Task
    data class Interrupt(val interruption: Interruption) : Task
    /** Tell the app. */
    data class Report(val result: FacegateResult) : Task
    data object Close : Task
}

/** What the person sees from the first card to the last, and what their answers lead to. It has no thread. */
internal class ScanFlow(
    private val texts: Texts,
    /** Whether the app allows the colours. */
    private val flash: Boolean,
    /** Whether the person asked Android for less motion. */
    private val calm: Boolean,
    intro: Boolean,
    /** The system's word for a button that closes. */
    private val closeLabel: String,
) {
    private enum class Step { ASKING, PERMISSION, SCANNING, ENDED }

    private var step = Step.ASKING
    private var flashes = false
    private var last: ScanState = ScanState.Idle

    /** Seconds for which something is awaited that has no state of the scan. */
    private var waitedS = 0

    /** The person answered that they are ready, and the scan has not gone on yet. */
    private var answered = false

    /** Whether the person sees the activity, and nothing of Android over it. */
    private var inFront = true

    /** Whether something covered the activity since the permission was asked for, as Android's question does. */
    private var covered = false

    /** What to show now. */
    var screen: Screen = startCard(listOf(texts.screen("title")), texts.screen("intro"))
        private set

    private val first: List<Task> = if (intro) emptyList() else act(Deed.START)

    /** What is to be done at first. */
    fun begin(): List<Task> = first

    /** The person pressed a button. Buttons that are not shown any longer do nothing. */
    fun act(deed: Deed): List<Task> {
        if (!offers(deed)) return emptyList()
        return when (deed) {
            Deed.START -> if (flash && !calm) {
                screen = notice()
                emptyList()
            } else {
                ask(false)
            }
            Deed.WITH_COLOURS -> ask(true)
            Deed.WITHOUT_COLOURS -> ask(false)
            Deed.READY -> {
                answered = true
                waitedS = 0
                screen = waiting("connecting")
                listOf(Task.Ready)
            }
            Deed.CANCEL -> leave()
            Deed.CLOSE -> listOf(Task.Close)
        }
    }

    /** The person pressed Android's back. */
    fun back(): List<Task> = if (step == Step.ENDED) listOf(Task.Close) else leave()

    /** The screen was closed, whatever it showed. A start that has no result yet gets one. */
    fun closed(): List<Task> {
        val started = step == Step.PERMISSION || step == Step.SCANNING
        step = Step.ENDED
        val left = CancellationException("the screen was closed before the scan had a result")
        return if (started) listOf(Task.Report(FacegateResult.Failed(left))) else emptyList()
    }

    /** The person tapped the picture: that stops the colours. */
    fun tapped(): List<Task> {
        val state = last
        val coloured = step == Step.SCANNING && state is ScanState.Capturing && state.plan == Plan.FLASH
        return if (coloured) listOf(Task.DeclineFlash) else emptyList()
    }

    /** The activity is covered, or leaves the screen. */
    fun paused() {
        inFront = false
        covered = true
    }

    /** The activity is in front again: if Android asked for the camera, the person has answered. */
    fun resumed(granted: Boolean): List<Task> {
        inFront = true
        // An activity that asks while it is created is resumed once before the person is asked.
        return if (covered || granted) permission(granted) else emptyList()
    }

    /** Android asked the person for the camera. */
    fun permission(granted: Boolean): List<Task> {
        if (step != Step.PERMISSION) return emptyList()
        if (!granted) return failed(CameraException(CameraProblem.DENIED, "the person does not permit the camera"))
        step = Step.SCANNING
        last = ScanState.Idle
        waitedS = 0
        screen = waiting("connecting")
        return listOf(Task.Scan(flashes))
    }

    /**
     * A second has passed. Android may not ask for the camera at all, and not say so.
     *
     * @param granted Whether the camera is permitted.
     */
    fun tick(granted: Boolean): List<Task> {
        waitedS += 1
        if (step == Step.PERMISSION) {
            if (inFront && waitedS >= SILENT_S) return permission(granted)
            screen = waiting("camera", waitedS * 1000L)
        } else if (step == Step.SCANNING && (last == ScanState.Idle || answered)) {
            screen = waiting("connecting", waitedS * 1000L)
        }
        return emptyList()
    }

    /** The app was hidden, or the screen was turned. Outside of an attempt that is harmless. */
    fun interrupted(interruption: Interruption): List<Task> {
        val capturing = step == Step.SCANNING && last is ScanState.Capturing
        return if (capturing) listOf(Task.Interrupt(interruption)) else emptyList()
    }

    /** No ticket came, or the scan could not be made. */
    fun failed(error: Throwable): List<Task> {
        if (step == Step.ENDED) return emptyList()
        step = Step.ENDED
        screen = endCard(sentences(errorText(error)), again = (error as? FacegateException)?.advice != Advice.STOP)
        return listOf(Task.Report(FacegateResult.Failed(error)))
    }

    /** The scan has another state. */
    fun scan(state: ScanState): List<Task> {
        if (step != Step.SCANNING) return emptyList()
        last = state
        if (state !is ScanState.Waiting) answered = false
        when (state) {
            ScanState.Idle -> Unit
            is ScanState.OpeningCamera, is ScanState.Connecting, is ScanState.Reconnecting, is ScanState.Deciding ->
                screen = waiting(state.text, state.forMs)
            is ScanState.Connected -> screen = waiting(state.text, state.forMs).copy(oval = state.oval)
            is ScanState.Capturing -> screen = Screen.Capture(
                hint = texts.hint(state.hint ?: "UNSPECIFIED"),
                oval = state.oval,
                ovalMs = state.ovalMs,
                progress = state.progress,
                plan = state.plan,
            )
            is ScanState.Waiting -> if (!answered) screen = question(state.last)
            is ScanState.Finished -> {
                step = Step.ENDED
                screen = outcomeCard(state)
                return listOf(Task.Report(FacegateResult.Finished(state.outcome)))
            }
            is ScanState.Failed -> return failed(state.error)
        }
        return emptyList()
    }

    private fun offers(deed: Deed): Boolean = when (val shown = screen) {
        is Screen.Card -> shown.actions.any { it.deed == deed }
        is Screen.Capture -> deed == Deed.CANCEL
    }

    private fun ask(colours: Boolean): List<Task> {
        step = Step.PERMISSION
        waitedS = 0
        covered = false
        flashes = colours
        screen = waiting("camera")
        return listOf(Task.AskPermission)
    }

    private fun leave(): List<Task> = when (step) {
        Step.ASKING, Step.PERMISSION, Step.ENDED -> listOf(Task.Close)
        // The scan ends soon, with a state that says so.
        Step.SCANNING -> listOf(Task.Cancel)
    }

    private fun waiting(key: String, forMs: Long = 0) = Screen.Capture(
        hint = texts.screen(key),
        oval = (screen as? Screen.Capture)?.oval,
        waiting = true,
        seconds = (forMs / 1000).toInt().takeIf { it >= SILENT_S },
    )

    private fun startCard(title: List<String>, text: String): Screen.Card {
        val start = Action(texts.screen("start"), Deed.START, primary = true)
        return Screen.Card(title.first(), listOf(text), listOf(start, Action(texts.screen("cancel"), Deed.CLOSE)))
    }

    private fun notice() = Screen.Card(
        texts.screen("flashTitle"),
        listOf(texts.screen("flashNotice")),
        listOf(
            Action(texts.screen("flashAccept"), Deed.WITH_COLOURS, primary = true),
            Action(texts.screen("flashDecline"), Deed.WITHOUT_COLOURS, primary = true),
            Action(texts.screen("cancel"), Deed.CLOSE),
        ),
    )

    private fun question(result: AttemptResult): Screen.Card {
        val why = result.interruption?.let { listOf(interruptionText(it)) } ?: result.feedback.map(texts::hint)
        val ready = Action(texts.screen("ready"), Deed.READY, primary = true)
        return Screen.Card(texts.screen("tryAgain"), why, listOf(ready, Action(texts.screen("cancel"), Deed.CANCEL)))
    }

    private fun outcomeCard(state: ScanState.Finished): Screen.Card {
        val outcome = state.outcome
        return endCard(
            listOf(texts.screen(state.text)) + outcomeTexts(outcome),
            again = outcome.status == ScanStatus.RETRY,
        )
    }

    private fun endCard(lines: List<String>, again: Boolean): Screen.Card {
        val close = Action(closeLabel, Deed.CLOSE, primary = !again)
        val start = Action(texts.screen("start"), Deed.START, primary = true)
        return Screen.Card(lines.first(), lines.drop(1), if (again) listOf(start, close) else listOf(close))
    }

    private fun outcomeTexts(outcome: ScanOutcome): List<String> {
        if (outcome.status == ScanStatus.SUCCESS || outcome.status == ScanStatus.COMPLETED) return emptyList()
        outcome.interruption?.let { return listOf(interruptionText(it)) }
        // After a failure the other codes are hints of the scan, which need not be its cause.
        val told = outcome.feedback.filter {
            if (outcome.status == ScanStatus.FAILURE) it in CAUSES else it != "FAILED"
        }
        return told.map(texts::hint)
    }

    private fun interruptionText(interruption: Interruption): String = when (interruption) {
        Interruption.HIDDEN -> texts.screen("hidden")
        Interruption.TURNED -> texts.hint("WRONG_ROTATION")
        Interruption.CAMERA -> texts.screen("cameraLost")
    }

    private fun errorText(error: Throwable): String = when {
        error is FacegateException -> texts.screen(error.text)
        error is IOException -> texts.screen("network")
        else -> texts.screen("problem")
    }

    private companion object {
        const val SILENT_S = 3
        val CAUSES = setOf("NETWORK_TOO_SLOW", "CAPTURE_TOO_SLOW", "SERVER_BUSY")
        val SENTENCE = Regex("""^(.+?[.।])\s+(.+)$""", RegexOption.DOT_MATCHES_ALL)

        /** The first sentence, and the rest if there is one. */
        fun sentences(text: String): List<String> = SENTENCE.matchEntire(text)?.destructured?.toList() ?: listOf(text)
    }
}
