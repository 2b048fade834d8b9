package org.facegate.android.evidence

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull
import org.facegate.core.SessionKey
import org.facegate.core.SoftwareKeyStore

/** Less than a scan waits for a key. */
private const val HARDWARE_MS = 8000L

/**
 * A session key that is made on a thread that may be blocked. If that fails or takes too long, as where a key store is out of
 * order, a key in memory; the other one is deleted when it comes.
 */
internal suspend fun hardwareOrSoftwareKey(threads: CoroutineDispatcher, make: () -> SessionKey): SessionKey {
    val answer = CompletableDeferred<SessionKey?>()
    CoroutineScope(threads).launch {
        val made = runCatching(make).getOrNull()
        if (!answer.complete(made)) made?.delete()
    }
    return try {
        withTimeoutOrNull(HARDWARE_MS) { answer.await() } ?: SoftwareKeyStore().newSessionKey()
    } finally {
        answer.cancel()
    }
}
