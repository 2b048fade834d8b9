package org.facegate.android.camera

import android.graphics.ImageFormat
import android.graphics.Rect
import android.graphics.YuvImage
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraCharacteristics.LENS_FACING
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CameraMetadata
import android.hardware.camera2.CaptureResult
import android.media.Image
import java.io.ByteArrayOutputStream
import java.io.IOException
import org.facegate.android.NewerAndroid
import org.facegate.android.picture.Area
import org.facegate.android.picture.JpegMaker
import org.facegate.android.picture.Nv21
import org.facegate.android.picture.Plane
import org.facegate.android.picture.YuvPicture

/** The cameras that Android lists. One that cannot be described, such as one that was just unplugged, is left out. */
internal fun CameraManager.describeAll(): List<CameraFacts> =
    cameraIdList.mapNotNull { id -> runCatching { describe(id, getCameraCharacteristics(id)) }.getOrNull() }

private fun describe(id: String, camera: CameraCharacteristics): CameraFacts {
    val able = camera[CameraCharacteristics.REQUEST_AVAILABLE_CAPABILITIES] ?: IntArray(0)
    val filter = camera[CameraCharacteristics.SENSOR_INFO_COLOR_FILTER_ARRANGEMENT]
    val sizes = camera[CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP]?.getOutputSizes(ImageFormat.YUV_420_888)
    return CameraFacts(
        id = id,
        direction = when (camera[LENS_FACING]) {
            CameraMetadata.LENS_FACING_FRONT -> Direction.FRONT
            CameraMetadata.LENS_FACING_EXTERNAL -> Direction.EXTERNAL
            else -> Direction.BACK
        },
        sensorTurn = camera.sensorTurn,
        hardwareLevel = LEVELS[camera[CameraCharacteristics.INFO_SUPPORTED_HARDWARE_LEVEL]].orEmpty(),
        takesPictures = CameraMetadata.REQUEST_AVAILABLE_CAPABILITIES_BACKWARD_COMPATIBLE in able,
        colourless = CameraMetadata.REQUEST_AVAILABLE_CAPABILITIES_MONOCHROME in able || filter in COLOURLESS,
        sizes = sizes.orEmpty().map { Resolution(it.width, it.height) },
        rates = camera[CameraCharacteristics.CONTROL_AE_AVAILABLE_TARGET_FPS_RANGES].orEmpty()
            .map { RateRange(it.lower, it.upper) },
        focalLengthsMm = camera[CameraCharacteristics.LENS_INFO_AVAILABLE_FOCAL_LENGTHS]?.toList().orEmpty(),
        label = NewerAndroid.labelOf(camera),
        realTime = camera[CameraCharacteristics.SENSOR_INFO_TIMESTAMP_SOURCE] ==
            CameraMetadata.SENSOR_INFO_TIMESTAMP_SOURCE_REALTIME,
        reportsExposure = CameraMetadata.REQUEST_AVAILABLE_CAPABILITIES_READ_SENSOR_SETTINGS in able,
        locksExposure = camera[CameraCharacteristics.CONTROL_AE_LOCK_AVAILABLE] == true &&
            camera[CameraCharacteristics.CONTROL_AWB_LOCK_AVAILABLE] == true,
    )
}

/** How the sensor lies now, degrees; a foldable's changes when it is folded. */
internal val CameraCharacteristics.sensorTurn: Int get() = this[CameraCharacteristics.SENSOR_ORIENTATION] ?: 0

/** The exposure that Android reports of a frame; many phones report a part. */
internal fun CaptureResult.exposure() = Exposure(
    timeNs = this[CaptureResult.SENSOR_EXPOSURE_TIME] ?: 0,
    iso = this[CaptureResult.SENSOR_SENSITIVITY] ?: 0,
    focusDioptres = this[CaptureResult.LENS_FOCUS_DISTANCE] ?: 0f,
    rollingShutterSkewNs = this[CaptureResult.SENSOR_ROLLING_SHUTTER_SKEW] ?: 0,
    // Some phones keep what was asked of them, and do not say so in their state.
    locked = this[CaptureResult.CONTROL_AE_LOCK] == true ||
        this[CaptureResult.CONTROL_AE_STATE] == CameraMetadata.CONTROL_AE_STATE_LOCKED,
    whiteBalanceLocked = this[CaptureResult.CONTROL_AWB_LOCK] == true ||
        this[CaptureResult.CONTROL_AWB_STATE] == CameraMetadata.CONTROL_AWB_STATE_LOCKED,
)

/** Whether exposure and white balance have found their values. */
internal val CaptureResult.settled: Boolean
    get() = this[CaptureResult.CONTROL_AE_STATE] in SETTLED_EXPOSURE &&
        this[CaptureResult.CONTROL_AWB_STATE] == CameraMetadata.CONTROL_AWB_STATE_CONVERGED

/** Android's encoder in software, which every phone has. It writes no EXIF. */
internal object AndroidJpeg : JpegMaker {
    override fun make(picture: Nv21, quality: Int): ByteArray {
        val image = YuvImage(picture.bytes, ImageFormat.NV21, picture.width, picture.height, null)
        val jpeg = ByteArrayOutputStream(picture.width * picture.height / 4)
        if (!image.compressToJpeg(Rect(0, 0, picture.width, picture.height), quality, jpeg)) {
            throw IOException("Android cannot encode a picture of ${picture.width} x ${picture.height}")
        }
        return jpeg.toByteArray()
    }
}

/** The planes of a camera's picture, valid until it is closed. */
internal fun Image.yuv(): YuvPicture {
    val (y, u, v) = planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
    return YuvPicture(cropRect.run { Area(left, top, width(), height()) }, y, u, v)
}

/** What a failed call means. */
internal fun troubleOf(problem: Exception): Trouble = when {
    problem is SecurityException -> Trouble.DENIED
    problem is IllegalArgumentException -> Trouble.MISSING
    problem is CameraAccessException && problem.reason == CameraAccessException.CAMERA_DISABLED -> Trouble.DENIED
    problem is CameraAccessException && problem.reason in BUSY_REASONS -> Trouble.BUSY
    else -> Trouble.FAILED
}

private val BUSY_REASONS = setOf(CameraAccessException.CAMERA_IN_USE, CameraAccessException.MAX_CAMERAS_IN_USE)
private val SETTLED_EXPOSURE =
    setOf(CameraMetadata.CONTROL_AE_STATE_CONVERGED, CameraMetadata.CONTROL_AE_STATE_FLASH_REQUIRED)
private val COLOURLESS = setOf(
    CameraMetadata.SENSOR_INFO_COLOR_FILTER_ARRANGEMENT_MONO,
    CameraMetadata.SENSOR_INFO_COLOR_FILTER_ARRANGEMENT_NIR,
)
private val LEVELS = mapOf(
    CameraMetadata.INFO_SUPPORTED_HARDWARE_LEVEL_LIMITED to "LIMITED",
    CameraMetadata.INFO_SUPPORTED_HARDWARE_LEVEL_FULL to "FULL",
    CameraMetadata.INFO_SUPPORTED_HARDWARE_LEVEL_LEGACY to "LEGACY",
    CameraMetadata.INFO_SUPPORTED_HARDWARE_LEVEL_3 to "LEVEL_3",
    CameraMetadata.INFO_SUPPORTED_HARDWARE_LEVEL_EXTERNAL to "EXTERNAL",
)
