package org.facegate.android.evidence

import android.content.Context
import android.hardware.camera2.CameraManager
import android.hardware.display.DisplayManager
import android.os.Build
import android.os.Debug
import android.os.Process
import java.io.File
import org.facegate.android.NewerAndroid
import org.facegate.android.camera.describeAll

/** The facts of this process and phone. */
internal class AndroidFacts(private val context: Context) : ProcessFacts {
    override fun debuggerConnected(): Boolean = Debug.isDebuggerConnected()

    override fun tracer(): Int = status("self", "TracerPid")

    override fun isChild(process: Int): Boolean = status("$process", "PPid") == Process.myPid()

    private fun status(process: String, field: String): Int = File("/proc/$process/status").useLines { lines ->
        lines.first { it.startsWith("$field:") }.substringAfter(':').trim().toInt()
    }

    override fun mappings(): List<String> = File("/proc/self/maps").useLines { it.take(MOST_LINES).toList() }

    override fun threads(): List<String> =
        File("/proc/self/task").list().orEmpty().mapNotNull { task ->
            // A thread may end meanwhile.
            runCatching { File("/proc/self/task/$task/comm").readText().trim() }.getOrNull()
        }

    override fun hasClass(name: String): Boolean =
        runCatching { Class.forName(name, false, ClassLoader.getSystemClassLoader()) }.isSuccess ||
            runCatching { Class.forName(name, false, context.classLoader) }.isSuccess

    override fun descriptions(): List<String> = listOf(
        Build.FINGERPRINT, Build.MODEL, Build.PRODUCT, Build.DEVICE, Build.HARDWARE, Build.BOARD, Build.MANUFACTURER, Build.BRAND,
    )

    override fun cameraNames(): List<String> =
        context.getSystemService(CameraManager::class.java).describeAll().flatMap { listOf(it.id, it.label) }

    override fun fileExists(path: String): Boolean = File(path).exists()

    override fun buildTags(): String = Build.TAGS.orEmpty()

    override fun hasUserAuthority(): Boolean {
        val authorities = java.security.KeyStore.getInstance("AndroidCAStore").apply { load(null) }
        return authorities.aliases().asSequence().any { it.startsWith("user:") }
    }

    override fun hasProxy(): Boolean =
        listOf("http.proxyHost", "https.proxyHost").any { !System.getProperty(it).isNullOrEmpty() }

    override fun isPresented(): Boolean = context.getSystemService(DisplayManager::class.java)
        .getDisplays(DisplayManager.DISPLAY_CATEGORY_PRESENTATION).isNotEmpty()

    override fun isDriven(): Boolean = NewerAndroid.isDriven

    private companion object {
        const val MOST_LINES = 20_000
    }
}
