package org.facegate.android

import android.app.Activity
import android.app.ActivityManager
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraMetadata
import android.hardware.camera2.CaptureRequest
import android.hardware.camera2.params.OutputConfiguration
import android.hardware.camera2.params.SessionConfiguration
import android.os.Build
import android.security.keystore.KeyGenParameterSpec
import android.view.Choreographer
import android.view.Display
import android.view.Surface
import android.view.Window
import android.view.WindowInsets
import android.view.WindowManager
import android.widget.TextView
import java.util.concurrent.Executor

/** Marks the calls that Android 8 does not have. The build refuses them everywhere else. */
@Retention(AnnotationRetention.BINARY)
internal annotation class Newer

/** Every call of a newer Android, with what older ones get instead. */
@Newer
internal object NewerAndroid {
    /** Whether keys can be made in StrongBox. */
    val hasStrongBox: Boolean get() = Build.VERSION.SDK_INT >= 28

    fun KeyGenParameterSpec.Builder.inStrongBox() {
        if (hasStrongBox) setIsStrongBoxBacked(true)
    }

    /** The maker's words on a camera. */
    fun labelOf(camera: CameraCharacteristics): String =
        if (Build.VERSION.SDK_INT >= 28) camera[CameraCharacteristics.INFO_VERSION].orEmpty() else ""

    fun createSession(
        device: CameraDevice,
        surfaces: List<Surface>,
        callback: CameraCaptureSession.StateCallback,
        executor: Executor,
    ) {
        if (Build.VERSION.SDK_INT >= 28) {
            val outputs = surfaces.map { OutputConfiguration(it) }
            device.createCaptureSession(SessionConfiguration(SessionConfiguration.SESSION_REGULAR, outputs, executor, callback))
        } else {
            @Suppress("DEPRECATION")
            device.createCaptureSession(surfaces, callback, null)
        }
    }

    /** Asks for the camera's own picture, not one that Android cuts and turns for an app of another orientation. */
    fun CaptureRequest.Builder.uncut(camera: CameraCharacteristics) {
        if (Build.VERSION.SDK_INT < 31) return
        val modes = camera[CameraCharacteristics.SCALER_AVAILABLE_ROTATE_AND_CROP_MODES] ?: return
        if (CameraMetadata.SCALER_ROTATE_AND_CROP_NONE in modes) {
            set(CaptureRequest.SCALER_ROTATE_AND_CROP, CameraMetadata.SCALER_ROTATE_AND_CROP_NONE)
        }
    }

    /** Calls back at the display's next turn, with its time and the one at which Android expects to show what it draws. */
    fun atNextTurn(choreographer: Choreographer, draw: (frameNs: Long, expectedNs: Long?) -> Unit) {
        if (Build.VERSION.SDK_INT >= 33) {
            choreographer.postVsyncCallback {
                draw(it.frameTimeNanos, it.preferredFrameTimeline.expectedPresentationTimeNanos)
            }
        } else {
            choreographer.postFrameCallback { draw(it, null) }
        }
    }

    /** A window that fills the whole screen, also beside the camera. */
    @Suppress("DEPRECATION") // Each call is that of its versions of Android.
    fun fillScreen(window: Window) {
        if (Build.VERSION.SDK_INT >= 28) {
            window.attributes = window.attributes.apply {
                layoutInDisplayCutoutMode = WindowManager.LayoutParams.LAYOUT_IN_DISPLAY_CUTOUT_MODE_SHORT_EDGES
            }
        }
        if (Build.VERSION.SDK_INT >= 30) {
            window.setDecorFitsSystemWindows(false)
            window.insetsController?.hide(WindowInsets.Type.systemBars())
        } else {
            window.decorView.systemUiVisibility = android.view.View.SYSTEM_UI_FLAG_IMMERSIVE_STICKY or
                android.view.View.SYSTEM_UI_FLAG_FULLSCREEN or android.view.View.SYSTEM_UI_FLAG_HIDE_NAVIGATION
        }
    }

    /** Height of the part at the top in which the screen has a hole for the camera, pixels. */
    fun holeHeight(insets: WindowInsets): Int =
        if (Build.VERSION.SDK_INT >= 28) insets.displayCutout?.safeInsetTop ?: 0 else 0

    fun displayOf(activity: Activity): Display {
        if (Build.VERSION.SDK_INT >= 30) activity.display?.let { return it }
        @Suppress("DEPRECATION")
        return activity.windowManager.defaultDisplay
    }

    fun isHeading(title: TextView) {
        if (Build.VERSION.SDK_INT >= 28) title.isAccessibilityHeading = true
    }

    /** Whether a test or a tool drives the app. */
    val isDriven: Boolean
        get() = ActivityManager.isUserAMonkey() ||
            (Build.VERSION.SDK_INT >= 29 && ActivityManager.isRunningInUserTestHarness())
}
