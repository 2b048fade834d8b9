package org.facegate.android.evidence

import org.facegate.v1.RuntimeFinding
import org.facegate.v1.RuntimeFindingKind
import org.facegate.v1.RuntimeFindings

/** What Android states about this process and device. Each may throw; what cannot be read is not looked for. */
internal interface ProcessFacts {
    /** A debugger of Java code is attached. */
    fun debuggerConnected(): Boolean

    /** `TracerPid` of this process; 0 for none. */
    fun tracer(): Int

    /** Whether a process is a child of this one. Apps that are hardened trace themselves by a child. */
    fun isChild(process: Int): Boolean

    /** The lines of `/proc/self/maps`. */
    fun mappings(): List<String>

    /** The names of the threads. */
    fun threads(): List<String>

    /** Whether a class can be found in this process. */
    fun hasClass(name: String): Boolean

    /** The words with which the system describes the device: model, product, hardware and others. */
    fun descriptions(): List<String>

    /** Identifiers and labels of the cameras. */
    fun cameraNames(): List<String>

    fun fileExists(path: String): Boolean

    /** The tags of the system's build. */
    fun buildTags(): String

    /** Whether the person, or who owns the device, added a certificate authority. */
    fun hasUserAuthority(): Boolean

    fun hasProxy(): Boolean

    /** Whether the screen is shown on another display. */
    fun isPresented(): Boolean

    /** Whether a program or a test drives the app. */
    fun isDriven(): Boolean
}

/** Files whose names in the address space show that code of a hooking framework runs in this process. */
private val HOOKS = mapOf(
    "frida-agent" to "frida",
    "frida-gadget" to "frida",
    "libfrida" to "frida",
    "XposedBridge" to "xposed",
    "libxposed_art" to "xposed",
    "liblspd" to "lsposed",
    "liblspatch" to "lspatch",
    "libriru_edxp" to "edxposed",
    "libsandhook" to "sandhook",
    "libsubstrate.so" to "substrate",
    "libsubstrate-dvm.so" to "substrate",
)
private val HOOK_THREADS = mapOf("gum-js-loop" to "frida", "frida" to "frida")
private val HOOK_CLASSES = mapOf(
    "de.robv.android.xposed.XposedBridge" to "xposed",
    "org.lsposed.lspd.core.Main" to "lsposed",
    "org.lsposed.lspatch.loader.LSPApplication" to "lspatch",
    "com.saurik.substrate.MS" to "substrate",
)
private val ROOT_FILES = listOf(
    "/system/bin/su", "/system/xbin/su", "/sbin/su", "/vendor/bin/su", "/data/adb/magisk", "/data/adb/ksu", "/data/adb/ap",
)
private val EMULATOR_FILES = mapOf(
    "/dev/qemu_pipe" to "qemu",
    "/dev/goldfish_pipe" to "goldfish",
    "/dev/socket/genyd" to "genymotion",
    "/data/.bluestacks.prop" to "bluestacks",
    "/system/bin/nox-prop" to "nox",
    "/system/bin/ldinit" to "ldplayer",
    "/system/bin/microvirtd" to "memu",
)

/** At most so many findings in a report. */
private const val MOST = 16
private const val LONGEST_NAME = 64

/**
 * Looks for traces of manipulation in this process. A hooking framework and a debugger end a check under every policy, so
 * only what is active in the process counts, not what is installed on the phone.
 */
internal fun lookAround(facts: ProcessFacts, lists: NameLists): RuntimeFindings {
    val report = RuntimeFindings.newBuilder()
    val seen = mutableSetOf<Pair<RuntimeFindingKind, String>>()
    fun look(kind: RuntimeFindingKind, names: () -> List<String>) {
        // What a system forbids to read is not a finding, and was not looked for.
        val found = runCatching(names).getOrNull() ?: return
        report.addLookedFor(kind)
        for (name in found.distinct()) {
            if (report.findingsCount >= MOST || !seen.add(kind to name)) continue
            report.addFindings(RuntimeFinding.newBuilder().setKind(kind).setName(printable(name)))
        }
    }
    look(RuntimeFindingKind.RUNTIME_FINDING_KIND_DEBUGGER) {
        val tracer = facts.tracer()
        // The process of another user cannot be read, and is no child.
        val child = tracer != 0 && runCatching { facts.isChild(tracer) }.getOrDefault(false)
        listOfNotNull(
            "jdwp".takeIf { facts.debuggerConnected() },
            "tracer".takeIf { tracer != 0 && !child },
        )
    }
    look(RuntimeFindingKind.RUNTIME_FINDING_KIND_HOOKING_FRAMEWORK) {
        val mapped = facts.mappings().flatMap { line -> HOOKS.filterKeys { line.contains(it) }.values }
        val threads = facts.threads().mapNotNull { HOOK_THREADS[it] }
        mapped + threads + HOOK_CLASSES.filterKeys(facts::hasClass).values
    }
    look(RuntimeFindingKind.RUNTIME_FINDING_KIND_EMULATOR) {
        val words = facts.descriptions().mapNotNull(lists::emulatorIn)
        val cameras = facts.cameraNames().filter(lists::isUnreal).map { "virtual camera" }
        words + cameras + EMULATOR_FILES.filterKeys(facts::fileExists).values
    }
    look(RuntimeFindingKind.RUNTIME_FINDING_KIND_ROOT) {
        ROOT_FILES.filter(facts::fileExists).map { it.substringAfterLast('/') } +
            listOfNotNull("test-keys".takeIf { "test-keys" in facts.buildTags() })
    }
    look(RuntimeFindingKind.RUNTIME_FINDING_KIND_NETWORK_INTERCEPTION) {
        listOfNotNull("user-ca".takeIf { facts.hasUserAuthority() }, "proxy".takeIf { facts.hasProxy() })
    }
    look(RuntimeFindingKind.RUNTIME_FINDING_KIND_SCREEN_SHARING) {
        listOfNotNull("presentation-display".takeIf { facts.isPresented() })
    }
    look(RuntimeFindingKind.RUNTIME_FINDING_KIND_AUTOMATION) {
        listOfNotNull("test-harness".takeIf { facts.isDriven() })
    }
    return report.build()
}

private fun printable(name: String): String = name.filter { it in ' '..'~' }.take(LONGEST_NAME)
