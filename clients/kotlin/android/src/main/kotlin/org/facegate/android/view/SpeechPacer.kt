package org.facegate.android.view

/** Lets a screen reader finish a hint before the next one, of which only the latest is spoken. */
internal class SpeechPacer {
    private var spoken = ""
    private var next = ""
    private var freeAtMs = Long.MIN_VALUE

    /** When [due] may have something to say; null if not. */
    var dueMs: Long? = null
        private set

    /** A hint is shown. Returns what to say now, or null. */
    fun show(text: String, nowMs: Long): String? {
        next = text
        return due(nowMs)
    }

    /** Returns what to say now, or null. */
    fun due(nowMs: Long): String? {
        dueMs = null
        if (next == spoken) return null
        if (nowMs < freeAtMs) {
            dueMs = freeAtMs
            return null
        }
        spoken = next
        freeAtMs = nowMs + SPEAK_MS
        return spoken
    }

    private companion object {
        const val SPEAK_MS = 2000L
    }
}
