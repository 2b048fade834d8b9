package org.facegate.android.view

import android.content.Context
import android.graphics.Color
import android.os.Handler
import android.os.Looper
import android.provider.Settings
import android.view.Display
import android.view.Window
import android.view.WindowManager
import org.facegate.core.FlashColour
import org.facegate.core.ScreenLight
import org.facegate.v1.ScreenProfile

private const val MM_IN_INCH = 25.4f
private const val BRIGHTEST = 255f

/** The screen of a phone as a light: a window that fills it, its colours and its brightness. */
internal class PhoneLight(
    private val context: Context,
    private val window: Window,
    private val display: Display,
    private val view: LightView,
    override val flashes: Boolean,
    /** Brings a time of the screen, nanoseconds, to the clock of the frames, microseconds. */
    private val captureUs: (Long) -> Long,
    /** Is told whether colours are on the screen. */
    private val flashing: (Boolean) -> Unit,
) : ScreenLight {
    private val main = Handler(Looper.getMainLooper())

    /** Rises with every call, so that a step that comes after its attempt's end is not shown. */
    @Volatile private var call = 0

    override val scrolls: Boolean get() = true
    override val movesOval: Boolean get() = true
    override val showsGestures: Boolean get() = true

    override val profile: ScreenProfile get() {
        val metrics = android.util.DisplayMetrics()
        @Suppress("DEPRECATION") // The window's metrics are those of a part of the screen.
        display.getRealMetrics(metrics)
        val set = window.attributes.screenBrightness
        val system = Settings.System.getInt(context.contentResolver, Settings.System.SCREEN_BRIGHTNESS, 0) / BRIGHTEST
        return ScreenProfile.newBuilder()
            .setWidth(metrics.widthPixels)
            .setHeight(metrics.heightPixels)
            .setBrightness(if (set >= 0) set else system.coerceIn(0f, 1f))
            .setRefreshRateHz(display.refreshRate)
            .setWidthMm(metrics.widthPixels / metrics.xdpi * MM_IN_INCH)
            .setHeightMm(metrics.heightPixels / metrics.ydpi * MM_IN_INCH)
            .build()
    }

    override fun prepare() {
        call += 1
        main.post { brightness(WindowManager.LayoutParams.BRIGHTNESS_OVERRIDE_FULL) }
    }

    override fun show(colour: FlashColour, appeared: (sinceUs: Long) -> Unit) {
        val mine = call
        main.post {
            if (mine != call) return@post
            val refreshNs = (1_000_000_000 / display.refreshRate.coerceAtLeast(1f)).toLong()
            val argb = Color.rgb(colour.red, colour.green, colour.blue)
            view.show(argb, colour.scrollMs, refreshNs) { shownNs ->
                if (mine == call) {
                    flashing(true)
                    appeared(captureUs(shownNs))
                }
            }
        }
    }

    override fun restore() {
        call += 1
        flashing(false)
        main.post {
            view.restore()
            brightness(WindowManager.LayoutParams.BRIGHTNESS_OVERRIDE_NONE)
        }
    }

    private fun brightness(value: Float) {
        window.attributes = window.attributes.apply { screenBrightness = value }
    }
}
