package org.facegate.android

import android.app.Activity
import android.util.Base64
import org.facegate.android.evidence.PlayIntegrity
import org.facegate.core.Advice
import org.facegate.core.FacegateException
import org.facegate.core.ScanTicket
import org.facegate.core.ServerAddress
import org.json.JSONObject

// What the README shows of an app; tests/docs compares both. The screen is compiled against Android's classes and runs
// on phones only; the adapter of Play runs in AttestorsTest, with Google's classes as their documentation has them.

interface Backend {
    suspend fun newCheck(): JSONObject

    fun fetchVerdict()
}

class ReadmeScreen(private val activity: Activity, private val backend: Backend, private val report: (Throwable) -> Unit) {
    fun scan() {
        val options = FacegateOptions(server = ServerAddress.Grpc("scan.bank.example", 443), flash = true)
        val tickets = TicketSource {
            val check = backend.newCheck()      // your own call, which returns JSON
            ScanTicket(check.getString("token"), Base64.decode(check.getString("challengeKeySha256"), Base64.DEFAULT))
        }
        val screen = FacegateScreen(activity, options, tickets) { result ->
            val error = (result as? FacegateResult.Failed)?.error
            if (error is FacegateException && error.advice == Advice.REPORT) report(error)
            // For the interface only. Your backend calls FinishCheck, and only its answer counts.
            backend.fetchVerdict()
        }
        screen.show()      // on the main thread; close() ends it
    }
}

class Play(private val provider: StandardIntegrityTokenProvider) : PlayIntegrity {
    override val standard = true
    override suspend fun token(bound: String): String =
        provider.request(StandardIntegrityTokenRequest.builder().setRequestHash(bound).build()).await().token()
}

class StandardIntegrityTokenRequest private constructor(val requestHash: String) {
    class Builder {
        private var hash = ""

        fun setRequestHash(requestHash: String) = apply { hash = requestHash }

        fun build() = StandardIntegrityTokenRequest(hash)
    }

    companion object {
        fun builder() = Builder()
    }
}

fun interface StandardIntegrityToken {
    fun token(): String
}

fun interface StandardIntegrityTokenProvider {
    fun request(request: StandardIntegrityTokenRequest): Task<StandardIntegrityToken>
}

class Task<T>(val result: T)

fun <T> Task<T>.await(): T = result
