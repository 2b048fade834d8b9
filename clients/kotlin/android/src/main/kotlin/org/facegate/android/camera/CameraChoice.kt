package org.facegate.android.camera

import kotlin.math.abs
import org.facegate.v1.CameraFacing
import org.facegate.v1.CameraProfile

/** A width and a height, pixels. */
internal data class Resolution(val width: Int, val height: Int) {
    val shorter: Int get() = minOf(width, height)
    val pixels: Int get() = width * height
}

/** A range of frames a second within which the camera chooses, by the light. */
internal data class RateRange(val lower: Int, val upper: Int)

/** Where a camera looks. */
internal enum class Direction { FRONT, BACK, EXTERNAL }

/** What Camera2 states about a camera. */
internal data class CameraFacts(
    val id: String,
    val direction: Direction,
    /** `SENSOR_ORIENTATION`, degrees. */
    val sensorTurn: Int,
    /** `INFO_SUPPORTED_HARDWARE_LEVEL`, as the protocol writes it. */
    val hardwareLevel: String,
    /** Has `BACKWARD_COMPATIBLE`: a camera for pictures, not for depth or infra-red only. */
    val takesPictures: Boolean,
    /** Gives no colours: `MONOCHROME`, or a colour filter of infra-red. */
    val colourless: Boolean,
    /** Sizes of YUV 4:2:0 pictures. */
    val sizes: List<Resolution>,
    val rates: List<RateRange>,
    val focalLengthsMm: List<Float>,
    /** `INFO_VERSION`, the maker's words; empty before Android 9, and where the maker states none. */
    val label: String = "",
    /** The time stamps count from the boot, with deep sleep: `SENSOR_INFO_TIMESTAMP_SOURCE` is `REALTIME`. */
    val realTime: Boolean = true,
    /** Has `READ_SENSOR_SETTINGS`: it reports the exposure of every frame. */
    val reportsExposure: Boolean = false,
    /** Exposure and white balance can be held. */
    val locksExposure: Boolean = false,
)

/**
 * The camera that faces the person: the first front camera that takes coloured pictures. Some phones list an infra-red
 * camera beside it.
 *
 * @param external whether a camera that is attached by a cable may serve, for kiosks; a built-in one is preferred.
 */
internal fun chooseCamera(cameras: List<CameraFacts>, external: Boolean): CameraFacts? {
    val usable = cameras.filter { it.takesPictures && !it.colourless && it.sizes.isNotEmpty() }
    return usable.firstOrNull { it.direction == Direction.FRONT }
        ?: usable.firstOrNull { external && it.direction == Direction.EXTERNAL }
}

/** Shorter side of a frame that is enough for everything: a movement needs 480 pixels in frames that stand upright. */
private const val UPRIGHT_SIDE = 480
/** The same for a frame that lies on its side, of which the oval fills the middle only. */
private const val LYING_SIDE = 600
private const val SHAPE = 4f / 3

/**
 * The size to capture: the smallest that is enough, in 4:3 if there is one, because the others are cut out of it.
 *
 * @param lying whether the upright frame is wider than high.
 */
internal fun chooseSize(sizes: List<Resolution>, lying: Boolean): Resolution? {
    val enough = if (lying) LYING_SIDE else UPRIGHT_SIDE
    val good = sizes.filter { it.shorter >= enough }
    val whole = good.filter { abs(it.width.toFloat() / it.height - SHAPE) < 0.02f }
    return whole.minByOrNull { it.pixels } ?: good.minByOrNull { it.pixels } ?: sizes.maxByOrNull { it.pixels }
}

/** The protocol needs 8 frames a second that arrive; the camera has to leave room for those that are late. */
private const val SLOWEST = 15
private const val FASTEST = 30

/**
 * The range of rates: up to 30 frames a second, and down to 15 in the dark, where a longer exposure is brighter than a
 * higher rate is useful.
 */
internal fun chooseRate(rates: List<RateRange>): RateRange? {
    val useful = rates.filter { it.upper <= FASTEST && it.upper >= SLOWEST }.ifEmpty { rates }
    val fastest = useful.maxOfOrNull { it.upper } ?: return null
    val top = useful.filter { it.upper == fastest }
    return top.filter { it.lower >= SLOWEST }.minByOrNull { it.lower } ?: top.maxByOrNull { it.lower }
}

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
