package org.facegate.core.runner

import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import org.facegate.core.Clock
import org.facegate.core.DeviceEvidence
import org.facegate.core.FaceScan
import org.facegate.core.FacegateException
import org.facegate.core.FrameSource
import org.facegate.core.Phone
import org.facegate.core.ScanOptions
import org.facegate.core.ScanOutcome
import org.facegate.core.ScanState
import org.facegate.core.ScanTicket
import org.facegate.core.ScreenLight
import org.facegate.core.ServerAddress
import org.facegate.core.SoftwareKeyStore
import org.facegate.core.Texts

private class MyCamera : FrameSource by TestCamera(noise(), rate = 20.0)

private class MyLight : ScreenLight by TestScreen(flashes = false)

private class MyEvidence : DeviceEvidence by TestEvidence()

// The program of the README; tests/docs compares both, and tests/sdk runs it.
suspend fun scanOnOwnScreen(server: ServerAddress, ticket: ScanTicket, show: (String) -> Unit): ScanOutcome? = coroutineScope {
    val phone = Phone(
        camera = MyCamera(),          // FrameSource: opens, gives pictures to a listener, closes
        screen = MyLight(),           // ScreenLight: with `flashes = false` it is asked for no colour
        evidence = MyEvidence(),      // DeviceEvidence: its profile, and `attestors = emptyList()` if there are none
        keys = SoftwareKeyStore(),    // better: keys of the device's hardware
        clock = Clock { System.nanoTime() / 1000 },      // that of the camera's time stamps
    )
    val scan = FaceScan(ScanOptions(server, ticket), phone)     // one for each scan
    val texts = Texts.of("de-AT", "en")
    val shown = launch {
        scan.state.collect { state ->     // at least once a second
            val text = when (state) {
                // Draw state.oval, too.
                is ScanState.Capturing -> texts.hint(state.hint ?: "UNSPECIFIED")
                // Offer a button that calls scan.ready(): the next attempt waits for it.
                is ScanState.Waiting -> state.last.feedback.joinToString("\n", transform = texts::hint)
                else -> texts.screen(state.text)
            }
            show(text)
        }
    }
    try {
        scan.run()                        // scan.cancel() when the person leaves
    } catch (error: FacegateException) {
        show(texts.screen(error.text))
        null
    } finally {
        shown.cancel()
    }
}
