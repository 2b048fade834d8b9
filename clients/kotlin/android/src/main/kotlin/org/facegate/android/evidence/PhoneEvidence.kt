package org.facegate.android.evidence

import android.content.Context
import android.os.Build
import java.io.File
import java.util.Properties
import java.util.UUID
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import org.facegate.android.camera.atMost
import org.facegate.core.Attestor
import org.facegate.core.DeviceEvidence
import org.facegate.v1.DeviceProfile
import org.facegate.v1.Platform
import org.facegate.v1.RuntimeFindings

/** What an Android phone states about itself, and proves. */
internal class PhoneEvidence(private val context: Context, play: PlayIntegrity?) : DeviceEvidence {
    private val facts = AndroidFacts(context)
    private val lists by lazy(NameLists::packaged)

    override val attestors: List<Attestor> =
        listOfNotNull(KeyAttestor(AndroidAttestedKeys, Dispatchers.IO), play?.let { PlayAttestor(it) })

    override val reportsFindings: Boolean get() = true

    override val profile: DeviceProfile by lazy {
        val app = runCatching { context.packageManager.getPackageInfo(context.packageName, 0) }.getOrNull()
        DeviceProfile.newBuilder()
            .setPlatform(Platform.PLATFORM_ANDROID)
            .setManufacturer(atMost(Build.MANUFACTURER.orEmpty(), 128))
            .setModel(atMost(Build.MODEL.orEmpty(), 128))
            .setOsVersion(atMost(Build.VERSION.RELEASE.orEmpty(), 64))
            .setAppId(atMost(context.packageName, 256))
            .setAppVersion(atMost(app?.versionName.orEmpty(), 64))
            .setSdkVersion("facegate-android $VERSION")
            .setInstallationId(installation(File(context.noBackupFilesDir, "facegate-installation")))
            .build()
    }

    override suspend fun findings(): RuntimeFindings = withContext(Dispatchers.IO) { lookAround(facts, lists) }
}

/** A random identifier of this installation, for the server's rate limits; empty if it cannot be kept. */
internal fun installation(file: File): String = runCatching {
    val kept = file.takeIf { it.exists() }?.readText().orEmpty()
    if (UUID_FORM.matches(kept)) kept else UUID.randomUUID().toString().also(file::writeText)
}.getOrDefault("")

private val UUID_FORM = Regex("[0-9a-f-]{36}")

/** Version of this package. */
internal val VERSION: String by lazy {
    val file = PhoneEvidence::class.java.getResourceAsStream("/org/facegate/android/package.properties")
    Properties().apply { file?.use(::load) }.getProperty("version").orEmpty()
}
