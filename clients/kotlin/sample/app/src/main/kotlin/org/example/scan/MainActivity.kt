package org.example.scan

import android.app.Activity
import android.os.Bundle
import android.util.Base64
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import java.io.IOException
import java.net.HttpURLConnection
import java.net.URL
import kotlin.concurrent.thread
import org.facegate.android.FacegateOptions
import org.facegate.android.FacegateResult
import org.facegate.android.FacegateScreen
import org.facegate.core.ScanTicket
import org.facegate.core.ServerAddress
import org.json.JSONObject

/** One button that scans. Backend and server are on your machine, reached by `adb reverse`. */
class MainActivity : Activity() {
    private val backend = "http://127.0.0.1:8080"
    private val server = ServerAddress.Grpc("127.0.0.1", 8443, plaintext = true)

    /** The check of the latest ticket. */
    @Volatile private var checkId = ""

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val text = TextView(this)
        val button = Button(this)
        button.text = "Scan"
        button.setOnClickListener {
            text.text = ""
            FacegateScreen(this, FacegateOptions(server, flash = true), ::newTicket) { showVerdict(it, text) }.show()
        }
        val layout = LinearLayout(this)
        layout.orientation = LinearLayout.VERTICAL
        layout.fitsSystemWindows = true
        layout.addView(button)
        layout.addView(text)
        setContentView(layout)
    }

    private suspend fun newTicket(): ScanTicket {
        val check = JSONObject(post("/checks", ""))
        checkId = check.getString("checkId")
        val fingerprint = Base64.decode(check.getString("challengeKeySha256"), Base64.DEFAULT)
        return ScanTicket(check.getString("token"), fingerprint)
    }

    /** Only the backend knows the verdict; the result of the scan says when to ask for it. */
    private fun showVerdict(result: FacegateResult, text: TextView) {
        if (result is FacegateResult.Failed) text.text = result.error.message
        val ended = checkId
        if (ended.isEmpty()) return
        thread {
            val verdict = runCatching { post("/verdict", ended) }.getOrElse { it.message }
            runOnUiThread { text.text = verdict }
        }
    }

    private fun post(path: String, body: String): String {
        val call = URL(backend + path).openConnection() as HttpURLConnection
        try {
            call.requestMethod = "POST"
            call.doOutput = true
            call.connectTimeout = 10_000
            call.readTimeout = 40_000
            call.outputStream.use { it.write(body.toByteArray()) }
            if (call.responseCode != 200) throw IOException("the backend answers with ${call.responseCode}")
            return call.inputStream.use { it.reader().readText() }
        } finally {
            call.disconnect()
        }
    }
}
