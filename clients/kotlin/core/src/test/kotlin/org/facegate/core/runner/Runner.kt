package org.facegate.core.runner

import com.google.gson.Gson
import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.facegate.core.Attestor
import org.facegate.core.FaceScan
import org.facegate.core.FacegateException
import org.facegate.core.Interruption
import org.facegate.core.Phone
import org.facegate.core.ScanOptions
import org.facegate.core.ScanState
import org.facegate.core.ScanTicket
import org.facegate.core.ServerAddress
import org.facegate.core.ServerRefusedException
import org.facegate.core.SoftwareKeyStore
import org.facegate.core.Texts
import org.facegate.v1.Attestation
import org.facegate.v1.CameraProfile
import org.facegate.v1.DeviceProfile
import org.facegate.v1.RuntimeFindings
import java.io.File
import java.security.KeyStore
import java.security.cert.CertificateFactory
import java.util.concurrent.ConcurrentHashMap
import javax.net.ssl.SSLContext
import javax.net.ssl.TrustManagerFactory
import javax.net.ssl.X509TrustManager

/** The evidence that scans wait for, by what they asked for. */
private val asked = ConcurrentHashMap<String, CompletableDeferred<ByteArray>>()

/**
 * Makes the scans that come as lines of JSON, several at once, and writes a line about each; for tests/sdk. A scan whose
 * device attests writes a line for each piece of evidence, too, and takes it from a line that comes back.
 */
fun main() = runBlocking(Dispatchers.Default) {
    val input = System.`in`.bufferedReader()
    while (true) {
        val line = withContext(Dispatchers.IO) { input.readLine() } ?: break
        val job = JsonParser.parseString(line).asJsonObject
        if (job.has("evidence")) {
            asked.remove(job["piece"].asString)?.complete(bytesOf(job["evidence"]))
            continue
        }
        launch { write((if (job.has("ownScreen")) makeOwnScan(job) else makeScan(job)) + ("id" to job["id"].asInt)) }
    }
}

private fun write(answer: Map<String, Any?>) = synchronized(System.out) { println(Gson().toJson(answer)) }

private fun bytesOf(hex: JsonElement): ByteArray = hex.asString.chunked(2).map { it.toInt(16).toByte() }.toByteArray()

/** Has the Python side make a piece of a test device's evidence. */
private class RemoteAttestor(private val scan: Int, private val number: Int) : Attestor {
    override suspend fun attest(challenge: ByteArray, message: ByteArray): Attestation {
        val hex = challenge.joinToString("") { "%02x".format(it) }
        val piece = "$hex $number"
        val made = CompletableDeferred<ByteArray>()
        asked[piece] = made
        write(mapOf("id" to scan, "piece" to piece, "challenge" to hex, "number" to number))
        return Attestation.parseFrom(made.await())
    }
}

private fun evidence(job: JsonObject): TestEvidence {
    val device = job["device"]?.asJsonObject ?: return TestEvidence()
    return TestEvidence(
        List(device["attestors"].asInt) { RemoteAttestor(job["id"].asInt, it) },
        DeviceProfile.parseFrom(bytesOf(device["profile"])),
        RuntimeFindings.parseFrom(bytesOf(device["findings"])),
    )
}

private suspend fun makeScan(job: JsonObject): Map<String, Any?> {
    val screen = TestScreen(flashes = job["flash"]?.asBoolean ?: false)
    val file = job["camera"]?.asString
    val camera = TestCamera(
        pictures = file?.let { motionJpeg(File(it)) } ?: noise(),
        rate = job["rate"]?.asDouble ?: 20.0,
        light = screen.takeIf { job["lit"]?.asBoolean ?: false },
        slowMs = job["slowMs"]?.asLong ?: 0,
        claim = job["device"]?.asJsonObject?.let { CameraProfile.parseFrom(bytesOf(it["camera"])) },
    )
    val options = options(job)
    val phone = Phone(camera, screen, evidence(job), SoftwareKeyStore(), CLOCK)
    val scan = FaceScan(options, phone)
    val watch = Watch(scan, job)
    return coroutineScope {
        val watching = launch { watch.follow(this) }
        val end = try {
            val outcome = scan.run()
            mapOf("outcome" to outcome)
        } catch (error: FacegateException) {
            mapOf(
                "error" to error.javaClass.simpleName,
                "reason" to (error as? ServerRefusedException)?.refusal?.reason,
                "message" to error.message,
                "advice" to error.advice,
                "trace" to error.stackTraceToString(),
            )
        }
        // The last state is seen, too.
        while (watch.last != scan.state.value) delay(5)
        watching.cancel()
        end + mapOf(
            "seen" to watch.seen,
            "texts" to watch.states + listOf(options, options.server, options.ticket, phone, scan).map { "$it" },
            "shown" to Texts.of("en").screen(scan.state.value.text),
            "silentMs" to watch.silentMs,
            "colours" to screen.colours.map { listOf(it.red, it.green, it.blue) },
            "heldFrames" to camera.open,
        )
    }
}

private suspend fun makeOwnScan(job: JsonObject): Map<String, Any?> {
    val shown = ArrayList<String>()
    val options = options(job)
    val outcome = scanOnOwnScreen(options.server, options.ticket) { shown += it }
    return mapOf("outcome" to outcome, "seen" to shown)
}

private const val MOST_TEXTS = 500

/** What an app sees of a scan, and what its person does. */
private class Watch(private val scan: FaceScan, job: JsonObject) {
    private val acts = job["acts"]?.asJsonArray?.map { it.asString }.orEmpty().toMutableSet()
    private val texts = Texts.of("en")

    /** The texts that were shown, without repetitions. */
    val seen = ArrayList<String>()
    var last: ScanState? = null

    /** The states as texts. */
    val states = LinkedHashSet<String>()

    /** The longest time without a new state. */
    var silentMs = 0L

    suspend fun follow(scope: CoroutineScope) {
        var since = System.nanoTime()
        scan.state.collect { state ->
            if (last != null && last != ScanState.Idle) silentMs = maxOf(silentMs, (System.nanoTime() - since) / 1_000_000)
            since = System.nanoTime()
            last = state
            if (states.size < MOST_TEXTS) states += "$state"
            note(texts.screen(state.text))
            if (state is ScanState.Capturing) {
                note("${state.plan}")
                state.hint?.let { note(texts.hint(it)) }
                act(state)
            }
            if (state is ScanState.Waiting && state.forMs == 0L) {
                state.last.feedback.forEach { note(texts.hint(it)) }
                scope.launch {
                    delay(300)
                    scan.ready()
                }
            }
        }
    }

    private fun act(state: ScanState.Capturing) {
        if (acts.remove("leave-soon")) scan.cancel()
        if (state.progress < 0.2) return
        if (acts.remove("leave")) scan.cancel()
        if (acts.remove("hide")) scan.interrupt(Interruption.HIDDEN)
        if (acts.remove("decline")) scan.declineFlash()
    }

    private fun note(text: String) {
        if (text.isNotEmpty() && seen.lastOrNull() != text) seen += text
    }
}

private fun options(job: JsonObject): ScanOptions {
    val trust = job["certificate"]?.asString?.let(::trustOf)
    val server = if (job.has("web")) {
        ServerAddress.WebSocket(job["web"].asString, job["origin"].asString)
    } else {
        val (host, port) = job["grpc"].asString.split(":")
        ServerAddress.Grpc(host, port.toInt(), plaintext = trust == null)
    }
    val key = bytesOf(job["key"])
    val tls = trust?.let { SSLContext.getInstance("TLS").apply { init(null, arrayOf(it), null) }.socketFactory }
    return ScanOptions(server, ScanTicket(job["token"].asString, key), "en", tls, trust)
}

private fun trustOf(pem: String): X509TrustManager {
    val certificate = CertificateFactory.getInstance("X.509").generateCertificate(pem.byteInputStream())
    val store = KeyStore.getInstance(KeyStore.getDefaultType()).apply {
        load(null)
        setCertificateEntry("test", certificate)
    }
    val factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm()).apply { init(store) }
    return factory.trustManagers.filterIsInstance<X509TrustManager>().first()
}
