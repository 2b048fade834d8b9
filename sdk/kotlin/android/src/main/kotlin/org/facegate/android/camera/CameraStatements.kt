package org.facegate.android.camera

import org.facegate.v1.CameraFacing
import org.facegate.v1.CameraProfile
import org.facegate.v1.ExposureMetadata

/** What ScanStart states about the camera: Android's words, and nothing where Android states nothing. */
internal fun profileOf(camera: CameraFacts, size: Resolution, rate: RateRange?, clock: String): CameraProfile {
    val facing = when (camera.direction) {
        Direction.FRONT -> CameraFacing.CAMERA_FACING_FRONT
        Direction.BACK -> CameraFacing.CAMERA_FACING_BACK
        Direction.EXTERNAL -> CameraFacing.CAMERA_FACING_EXTERNAL
    }
    return CameraProfile.newBuilder()
        .setId(atMost(camera.id, 256))
        .setLabel(atMost(camera.label, 256))
        .setFacing(facing)
        .setWidth(size.width)
        .setHeight(size.height)
        .setFramesPerSecond(rate?.upper?.toFloat() ?: 0f)
        .setSensorOrientationDegrees(camera.sensorTurn)
        .setHardwareLevel(camera.hardwareLevel)
        .addAllFocalLengthsMm(camera.focalLengthsMm.take(8))
        .setTimestampSource(clock)
        .build()
}

/** Null if the camera reported nothing of this frame. */
internal fun Exposure.message(): ExposureMetadata? = if (this == Exposure()) {
    null
} else {
    ExposureMetadata.newBuilder()
        .setExposureTimeNs(timeNs)
        .setIso(iso)
        .setFocusDiopters(focusDioptres)
        .setRollingShutterSkewNs(rollingShutterSkewNs)
        .setExposureLocked(locked)
        .setWhiteBalanceLocked(whiteBalanceLocked)
        .build()
}

/** The text in at most [size] bytes of UTF-8. */
internal fun atMost(text: String, size: Int): String {
    var end = 0
    var bytes = 0
    while (end < text.length) {
        val point = text.codePointAt(end)
        bytes += if (point < 0x80) 1 else if (point < 0x800) 2 else if (point < 0x10000) 3 else 4
        if (bytes > size) break
        end += Character.charCount(point)
    }
    return text.substring(0, end)
}
