package org.facegate.android.evidence

import java.io.IOException
import org.facegate.v1.RuntimeFindingKind
import org.facegate.v1.RuntimeFindings
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class RuntimeLookTest {
    private val lists = NameLists.packaged()

    @Test
    fun `an honest phone has no finding, and says what was looked for`() {
        val report = lookAround(Facts(), lists)
        assertEquals(0, report.findingsCount)
        assertEquals(7, report.lookedForCount)
        assertFalse(RuntimeFindingKind.RUNTIME_FINDING_KIND_UNSPECIFIED in report.lookedForList)
    }

    @Test
    fun `each trace has its kind and name`() {
        val cases = mapOf(
            Facts(debugger = true) to "DEBUGGER jdwp",
            Facts(tracer = 77) to "DEBUGGER tracer",
            Facts(mapped = listOf("7f00-7f10 r-xp 0 fd:00 1 /data/local/tmp/frida-agent-64.so")) to "HOOKING_FRAMEWORK frida",
            Facts(threads = listOf("main", "gum-js-loop")) to "HOOKING_FRAMEWORK frida",
            Facts(classes = setOf("de.robv.android.xposed.XposedBridge")) to "HOOKING_FRAMEWORK xposed",
            Facts(words = listOf("sdk_gphone64_arm64")) to "EMULATOR sdk gphone",
            Facts(cameras = listOf("virtualscene")) to "EMULATOR virtual camera",
            Facts(files = setOf("/dev/goldfish_pipe")) to "EMULATOR goldfish",
            Facts(files = setOf("/system/xbin/su")) to "ROOT su",
            Facts(tags = "test-keys") to "ROOT test-keys",
            Facts(authority = true) to "NETWORK_INTERCEPTION user-ca",
            Facts(proxy = true) to "NETWORK_INTERCEPTION proxy",
            Facts(presented = true) to "SCREEN_SHARING presentation-display",
            Facts(driven = true) to "AUTOMATION test-harness",
        )
        for ((facts, wanted) in cases) assertEquals(listOf(wanted), found(lookAround(facts, lists)))
    }

    @Test
    fun `an app that traces itself by a child is hardened, not debugged`() {
        assertEquals(0, lookAround(Facts(tracer = 77, children = setOf(77)), lists).findingsCount)
    }

    @Test
    fun `a tracer of another user, which cannot be read, is a debugger`() {
        assertEquals(listOf("DEBUGGER tracer"), found(lookAround(Facts(tracer = 77, foreign = true), lists)))
    }

    @Test
    fun `what an honest phone has loaded is no hook`() {
        val usual = listOf("/system/lib64/libart.so", "/vendor/lib64/libsubstratum.so", "/system/framework/framework.jar")
        val threads = listOf("main", "gmain", "gdbus", "RenderThread", "OkHttp")
        assertEquals(0, lookAround(Facts(mapped = usual, threads = threads), lists).findingsCount)
    }

    @Test
    fun `what cannot be read was not looked for`() {
        val report = lookAround(Facts(unreadable = true), lists)
        assertFalse(RuntimeFindingKind.RUNTIME_FINDING_KIND_HOOKING_FRAMEWORK in report.lookedForList)
        assertTrue(RuntimeFindingKind.RUNTIME_FINDING_KIND_ROOT in report.lookedForList)
    }

    @Test
    fun `a report keeps the limits of the protocol`() {
        val words = lists.let { listOf("nox", "memu", "vmos", "redroid", "anbox", "waydroid", "nemu", "mumu", "ttvm", "ranchu") }
        val everything = Facts(
            debugger = true,
            mapped = listOf("frida-agent XposedBridge liblspd liblspatch libsandhook libriru_edxp"),
            words = words,
            files = setOf("/system/bin/su", "/dev/qemu_pipe"),
            tags = "test-keys",
            proxy = true,
        )
        val report = lookAround(everything, lists)
        assertEquals(16, report.findingsCount)
        assertTrue(report.findingsList.all { it.name.length <= 64 && it.name.all { letter -> letter in ' '..'~' } })
        assertTrue(report.serializedSize <= 2048)
    }

    private fun found(report: RuntimeFindings) =
        report.findingsList.map { "${it.kind.name.removePrefix("RUNTIME_FINDING_KIND_")} ${it.name}" }

    private data class Facts(
        val debugger: Boolean = false,
        val tracer: Int = 0,
        val children: Set<Int> = emptySet(),
        val foreign: Boolean = false,
        val mapped: List<String> = emptyList(),
        val threads: List<String> = emptyList(),
        val classes: Set<String> = emptySet(),
        val words: List<String> = listOf("Pixel 9"),
        val cameras: List<String> = listOf("0", "1"),
        val files: Set<String> = emptySet(),
        val tags: String = "release-keys",
        val authority: Boolean = false,
        val proxy: Boolean = false,
        val presented: Boolean = false,
        val driven: Boolean = false,
        val unreadable: Boolean = false,
    ) : ProcessFacts {
        override fun debuggerConnected() = debugger
        override fun tracer() = tracer
        override fun isChild(process: Int) = if (foreign) throw IOException("no such file") else process in children
        override fun mappings() = if (unreadable) throw SecurityException("not permitted") else mapped
        override fun threads() = threads
        override fun hasClass(name: String) = name in classes
        override fun descriptions() = words
        override fun cameraNames() = cameras
        override fun fileExists(path: String) = path in files
        override fun buildTags() = tags
        override fun hasUserAuthority() = authority
        override fun hasProxy() = proxy
        override fun isPresented() = presented
        override fun isDriven() = driven
    }
}
