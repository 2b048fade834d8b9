package org.facegate.core.runner

import org.facegate.core.Attestor
import org.facegate.core.CameraProblem
import org.facegate.core.CapturedFrame
import org.facegate.core.Clock
import org.facegate.core.DeviceEvidence
import org.facegate.core.EncodedFrame
import org.facegate.core.FlashColour
import org.facegate.core.FrameLimits
import org.facegate.core.FrameListener
import org.facegate.core.FrameSizes
import org.facegate.core.FrameSource
import org.facegate.core.ScreenLight
import org.facegate.core.Size
import org.facegate.v1.CameraFacing
import org.facegate.v1.CameraProfile
import org.facegate.v1.DeviceProfile
import org.facegate.v1.ExposureMetadata
import org.facegate.v1.Platform
import org.facegate.v1.RuntimeFindingKind
import org.facegate.v1.RuntimeFindings
import org.facegate.v1.ScreenProfile
import java.awt.RenderingHints
import java.awt.image.BufferedImage
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.File
import java.util.concurrent.atomic.AtomicInteger
import javax.imageio.IIOImage
import javax.imageio.ImageIO
import javax.imageio.ImageWriteParam
import kotlin.concurrent.thread
import kotlin.math.hypot
import kotlin.random.Random

/** The clock of the tests' cameras. */
val CLOCK = Clock { System.nanoTime() / 1000 }

/** A display of 60 Hz shows a colour with its next picture. */
private const val DELAY_US = 16_667L

/** A screen that shows nothing, but knows when each colour would have appeared. */
class TestScreen(override val flashes: Boolean) : ScreenLight {
    private class Shown(val colour: FlashColour?, val sinceUs: Long)

    private val shown = ArrayList<Shown>()

    override val profile: ScreenProfile =
        ScreenProfile.newBuilder().setWidth(1080).setHeight(2340).setBrightness(1f).setRefreshRateHz(60f).build()
    override val scrolls = false
    override val movesOval get() = flashes
    override val showsGestures = true

    /** The colours that were shown, in order. */
    val colours: List<FlashColour> get() = synchronized(shown) { shown.mapNotNull { it.colour } }

    override fun prepare() = Unit

    override fun show(colour: FlashColour, appeared: (sinceUs: Long) -> Unit) {
        val sinceUs = CLOCK.nowUs() + DELAY_US
        synchronized(shown) { shown += Shown(colour, sinceUs) }
        appeared(sinceUs)
    }

    override fun restore() {
        synchronized(shown) { if (shown.lastOrNull()?.colour != null) shown += Shown(null, CLOCK.nowUs()) }
    }

    /** The colour that lights up the face at a moment; null for the normal screen. */
    fun at(timeUs: Long): FlashColour? = synchronized(shown) { shown.lastOrNull { it.sinceUs <= timeUs }?.colour }
}

/** A device that finds the same each time, by default nothing. */
class TestEvidence(
    override val attestors: List<Attestor> = emptyList(),
    override val profile: DeviceProfile = DeviceProfile.newBuilder()
        .setPlatform(Platform.PLATFORM_DESKTOP)
        .setModel("test")
        .setSdkVersion("facegate-kotlin 1.0.0-rc1")
        .build(),
    private val found: RuntimeFindings =
        RuntimeFindings.newBuilder().addLookedFor(RuntimeFindingKind.RUNTIME_FINDING_KIND_DEBUGGER).build(),
) : DeviceEvidence {
    override val reportsFindings = true

    override suspend fun findings(): RuntimeFindings = found
}

/** The pictures of a camera, by number. */
fun interface Pictures {
    /** A picture, or null at the end. */
    fun at(number: Int): Picture?
}

/** A picture as a JPEG of a known size. */
class Picture(val jpeg: ByteArray, val size: Size)

/** Pictures of noise, which return after four. */
fun noise(size: Size = Size(480, 640)): Pictures {
    val random = Random(1)
    val pictures = List(4) {
        val image = BufferedImage(size.width, size.height, BufferedImage.TYPE_INT_RGB)
        for (y in 0 until size.height step 8) {
            for (x in 0 until size.width step 8) {
                val colour = random.nextInt(0x1000000)
                for (row in y until minOf(y + 8, size.height)) {
                    for (column in x until minOf(x + 8, size.width)) image.setRGB(column, row, colour)
                }
            }
        }
        Picture(encode(image, 85), size)
    }
    return Pictures { pictures[it % pictures.size] }
}

/** The pictures of a file of JPEGs, one after the other. */
fun motionJpeg(file: File): Pictures {
    val bytes = file.readBytes()
    val found = ArrayList<ByteArray>()
    var begin = 0
    for (at in 1 until bytes.size) {
        if (bytes[at - 1] == 0xff.toByte() && bytes[at] == 0xd9.toByte()) {
            found += bytes.copyOfRange(begin, at + 1)
            begin = at + 1
        }
    }
    val first = decode(found.first())
    val size = Size(first.width, first.height)
    return Pictures { number -> found.getOrNull(number)?.let { Picture(it, size) } }
}

private const val STANDS_AFTER_NS = 500_000_000L

/** A camera whose pictures come in real time, and whose person stands still while nobody takes them. */
class TestCamera(
    private val pictures: Pictures,
    private val rate: Double,
    /** The screen whose colours light up the pictures. */
    private val light: TestScreen? = null,
    /** Milliseconds for which encoding takes longer than usual. */
    private val slowMs: Long = 0,
    /** What it states about itself; null for what it is. */
    claim: CameraProfile? = null,
) : FrameSource {
    private val held = AtomicInteger()

    @Volatile
    private var worker: Thread? = null

    @Volatile
    private var opened = false

    @Volatile
    private var takenNs = Long.MIN_VALUE / 2

    private var number = 0

    /** Frames that were not given back. */
    val open: Int get() = held.get()

    override val reportsExposure = false
    override val uprightSize: Size = checkNotNull(pictures.at(0)).size
    override val profile: CameraProfile = claim ?: CameraProfile.newBuilder()
        .setId("test")
        .setLabel("test")
        .setFacing(CameraFacing.CAMERA_FACING_FRONT)
        .setWidth(uprightSize.width)
        .setHeight(uprightSize.height)
        .setFramesPerSecond(rate.toFloat())
        .build()

    override suspend fun open(listener: FrameListener) {
        opened = true
        worker = thread(isDaemon = true, name = "test camera") {
            var nextNs = System.nanoTime()
            while (opened) {
                val leftNs = nextNs - System.nanoTime()
                if (leftNs > 0) Thread.sleep(leftNs / 1_000_000, (leftNs % 1_000_000).toInt())
                val picture = pictures.at(number)
                if (System.nanoTime() - takenNs < STANDS_AFTER_NS) number += 1
                if (picture == null) {
                    listener.onLost(CameraProblem.NO_PICTURE)
                    return@thread
                }
                held.incrementAndGet()
                listener.onFrame(TestFrame(picture, CLOCK.nowUs()))
                nextNs = maxOf(nextNs + (1e9 / rate).toLong(), System.nanoTime() - 100_000_000)
            }
        }
    }

    override fun close() {
        opened = false
    }

    private inner class TestFrame(private val picture: Picture, override val captureTimeUs: Long) : CapturedFrame {
        private var closed = false

        override val size = picture.size
        override val rotationDegrees = 0
        override val mirrored = false
        override val exposure: ExposureMetadata? = null
        override val lost = 0

        override fun encode(limits: FrameLimits): EncodedFrame? {
            check(!closed) { "a frame was encoded after it was closed" }
            takenNs = System.nanoTime()
            if (slowMs > 0) Thread.sleep(slowMs)
            val colour = light?.at(captureTimeUs)
            val fits = picture.jpeg.size <= limits.maxBytes && maxOf(size.width, size.height) <= limits.maxSide &&
                minOf(size.width, size.height) <= limits.usefulSide && limits.shrunk == 0
            if (colour == null && fits) return EncodedFrame(picture.jpeg, size.width, size.height)
            val image = decode(picture.jpeg)
            if (colour != null) light(image, colour)
            return FrameSizes.encode(size, limits) { scaled, quality -> encode(scale(image, scaled), quality) }
        }

        override fun close() {
            check(!closed) { "a frame was closed twice" }
            closed = true
            held.decrementAndGet()
        }
    }
}

private fun decode(jpeg: ByteArray): BufferedImage {
    val read = ImageIO.read(ByteArrayInputStream(jpeg))
    if (read.type == BufferedImage.TYPE_INT_RGB) return read
    val image = BufferedImage(read.width, read.height, BufferedImage.TYPE_INT_RGB)
    image.createGraphics().run {
        drawImage(read, 0, 0, null)
        dispose()
    }
    return image
}

private fun scale(image: BufferedImage, size: Size): BufferedImage {
    if (image.width == size.width && image.height == size.height) return image
    val scaled = BufferedImage(size.width, size.height, BufferedImage.TYPE_INT_RGB)
    scaled.createGraphics().run {
        setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR)
        drawImage(image, 0, 0, size.width, size.height, null)
        dispose()
    }
    return scaled
}

private fun encode(image: BufferedImage, quality: Int): ByteArray {
    val bytes = ByteArrayOutputStream()
    val writer = ImageIO.getImageWritersByFormatName("jpeg").next()
    ImageIO.createImageOutputStream(bytes).use { stream ->
        writer.output = stream
        val parameters = writer.defaultWriteParam
        parameters.compressionMode = ImageWriteParam.MODE_EXPLICIT
        parameters.compressionQuality = quality / 100f
        writer.write(null, IIOImage(image, null, null), parameters)
    }
    writer.dispose()
    return bytes.toByteArray()
}

/** The share of the screen's light by the distance from the nose: the sides turn away, and the room is far. */
private val HEAD = listOf(0.0 to 0.9, 0.25 to 0.6, 0.6 to 0.35, 1.0 to 0.06)

/** Lights up a picture of a head as `web/sdk/e2e/pages/light.js` does. */
private fun light(image: BufferedImage, colour: FlashColour) {
    val pixels = (image.raster.dataBuffer as java.awt.image.DataBufferInt).data
    val missing = intArrayOf(255 - colour.red, 255 - colour.green, 255 - colour.blue)
    for (y in 0 until image.height) {
        for (x in 0 until image.width) {
            val distance = hypot(
                (x - 0.51 * image.width) / (0.3 * image.width),
                (y - 0.46 * image.height) / (0.25 * image.height),
            )
            val share = share(distance)
            val at = y * image.width + x
            val pixel = pixels[at]
            val red = (pixel shr 16 and 255) * (255 - share * missing[0]) / 255
            val green = (pixel shr 8 and 255) * (255 - share * missing[1]) / 255
            val blue = (pixel and 255) * (255 - share * missing[2]) / 255
            pixels[at] = (red.toInt() shl 16) or (green.toInt() shl 8) or blue.toInt()
        }
    }
}

private fun share(distance: Double): Double {
    val next = HEAD.indexOfFirst { it.first >= distance }
    if (next < 0) return HEAD.last().second
    if (next == 0) return HEAD.first().second
    val (before, from) = HEAD[next - 1]
    val (after, to) = HEAD[next]
    return from + (to - from) * (distance - before) / (after - before)
}
