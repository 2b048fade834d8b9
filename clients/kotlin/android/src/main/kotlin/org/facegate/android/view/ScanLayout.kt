package org.facegate.android.view

import android.content.Context
import android.graphics.Matrix
import android.graphics.SurfaceTexture
import android.graphics.Typeface
import android.graphics.drawable.GradientDrawable
import android.os.SystemClock
import android.view.Gravity
import android.view.TextureView
import android.view.View
import android.view.WindowInsets
import android.view.accessibility.AccessibilityNodeInfo
import android.widget.Button
import android.widget.FrameLayout
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.ScrollView
import android.widget.TextView
import kotlin.math.roundToInt
import org.facegate.android.NewerAndroid
import org.facegate.android.camera.Preview
import org.facegate.android.camera.PreviewForm
import org.facegate.android.camera.previewMatrix
import org.facegate.core.Size

/** The views of a scan, in plain views of Android: the picture, the light around it, the hint, and the cards. */
internal class ScanLayout(context: Context, private val onDeed: (Deed) -> Unit, private val onTap: () -> Unit) :
    FrameLayout(context), Preview {
    val light = LightView(context)
    private val picture = TextureView(context)
    private val hint = TextView(context)
    private val spoken = TextView(context)
    private val waits = ProgressBar(context)
    private val bottom = LinearLayout(context)
    private val cardScroll = ScrollView(context)
    private val card = LinearLayout(context)
    private val speech = SpeechPacer()
    private val density = resources.displayMetrics.density
    private var shown: Screen? = null
    private var form = PreviewForm(Size(3, 4), frameTurn = 0, viewTurn = 0, flips = false)

    @Volatile override var texture: SurfaceTexture? = null
        private set

    @Volatile override var displayTurn: Int = 0
        private set

    init {
        setBackgroundColor(LightView.SURFACE)
        picture.surfaceTextureListener = object : TextureView.SurfaceTextureListener {
            override fun onSurfaceTextureAvailable(surface: SurfaceTexture, width: Int, height: Int) {
                texture = surface
            }

            override fun onSurfaceTextureSizeChanged(surface: SurfaceTexture, width: Int, height: Int) = Unit

            override fun onSurfaceTextureDestroyed(surface: SurfaceTexture): Boolean {
                texture = null
                return true
            }

            override fun onSurfaceTextureUpdated(surface: SurfaceTexture) = Unit
        }
        picture.importantForAccessibility = IMPORTANT_FOR_ACCESSIBILITY_NO
        light.setOnClickListener { onTap() }
        hint.apply {
            textSize = 20f
            typeface = Typeface.DEFAULT_BOLD
            gravity = Gravity.CENTER
            setTextColor(LightView.SURFACE)
            background = rounded(LightView.DARK, 24)
            setPadding(dp(20), dp(10), dp(20), dp(10))
            // It changes too often to be spoken; [spoken] has what is said.
            importantForAccessibility = IMPORTANT_FOR_ACCESSIBILITY_NO
        }
        spoken.apply {
            setTextColor(0)
            accessibilityLiveRegion = ACCESSIBILITY_LIVE_REGION_POLITE
        }
        bottom.gravity = Gravity.CENTER
        card.orientation = LinearLayout.VERTICAL
        card.setPadding(dp(24), dp(24), dp(24), dp(24))
        cardScroll.addView(card)
        cardScroll.isFillViewport = true
        addView(picture)
        addView(light, matching())
        addView(spoken, LayoutParams(1, 1))
        addView(hint, LayoutParams(WRAP, WRAP, Gravity.TOP or Gravity.CENTER_HORIZONTAL))
        addView(waits, LayoutParams(WRAP, WRAP, Gravity.CENTER))
        addView(bottom, LayoutParams(WRAP, WRAP, Gravity.BOTTOM or Gravity.CENTER_HORIZONTAL))
        addView(cardScroll, matching())
    }

    /** Names the button of the capture, and the direction of the texts. */
    fun begin(cancel: String, rightToLeft: Boolean) {
        layoutDirection = if (rightToLeft) LAYOUT_DIRECTION_RTL else LAYOUT_DIRECTION_LTR
        bottom.removeAllViews()
        bottom.addView(button(Action(cancel, Deed.CANCEL)))
    }

    fun show(screen: Screen) {
        val before = shown
        if (screen == before) return
        shown = screen
        when (screen) {
            is Screen.Card -> showCard(screen)
            is Screen.Capture -> showCapture(screen)
        }
        if (before == null || before.javaClass != screen.javaClass) {
            for (view in listOf(picture, light, hint, bottom)) view.visibility = visible(screen is Screen.Capture)
            cardScroll.visibility = visible(screen is Screen.Card)
        }
        waits.visibility = visible(screen is Screen.Capture && screen.waiting)
    }

    /** The screen is turned by so many degrees. */
    fun turned(degrees: Int) {
        displayTurn = degrees
    }

    override fun showing(view: PreviewForm) {
        post {
            form = view
            picture.scaleX = if (view.flips) -1f else 1f
            requestLayout()
        }
    }

    override fun onLayout(changed: Boolean, left: Int, top: Int, right: Int, bottom: Int) {
        super.onLayout(changed, left, top, right, bottom)
        val place = stage(width.toFloat(), height.toFloat(), form.upright)
        picture.layout(place.left.roundToInt(), place.top.roundToInt(), place.right.roundToInt(), place.bottom.roundToInt())
        picture.setTransform(Matrix().apply { setValues(previewMatrix(place.width, place.height, form.viewTurn)) })
        (shown as? Screen.Capture)?.let { moveOval(it, atOnce = true) }
    }

    @Suppress("DEPRECATION") // The newer insets are of Android 11.
    override fun onApplyWindowInsets(insets: WindowInsets): WindowInsets {
        val (top, bottom) = insets.systemWindowInsetTop to insets.systemWindowInsetBottom
        val beside = standsBeside(width / density, height / density)
        val below = maxOf(top, NewerAndroid.holeHeight(insets))
        place(hint, Gravity.TOP, if (beside) Gravity.START else Gravity.CENTER_HORIZONTAL, dp(16) + below)
        place(this.bottom, Gravity.BOTTOM, if (beside) Gravity.END else Gravity.CENTER_HORIZONTAL, dp(16) + bottom)
        return insets
    }

    override fun onSizeChanged(width: Int, height: Int, oldWidth: Int, oldHeight: Int) {
        super.onSizeChanged(width, height, oldWidth, oldHeight)
        val room = if (standsBeside(width / density, height / density)) (width - height * 0.8f) / 2 else width.toFloat()
        hint.maxWidth = (room - 2 * dp(16)).roundToInt()
        requestApplyInsets()
    }

    private fun place(view: View, vertical: Int, horizontal: Int, margin: Int) {
        view.layoutParams = LayoutParams(WRAP, WRAP, vertical or horizontal).apply { setMargins(dp(16), margin, dp(16), margin) }
    }

    private fun showCapture(screen: Screen.Capture) {
        hint.text = screen.seconds?.let { "${screen.hint} ($it s)" } ?: screen.hint
        light.progress(screen.progress)
        moveOval(screen, atOnce = false)
        say(speech.show(screen.hint, SystemClock.uptimeMillis()))
    }

    private fun moveOval(screen: Screen.Capture, atOnce: Boolean) {
        if (width == 0) return
        val place = stage(width.toFloat(), height.toFloat(), form.upright).around(screen.oval ?: REST)
        light.moveOval(place, if (atOnce) 0 else screen.ovalMs)
    }

    private fun say(text: String?) {
        if (text != null) spoken.text = text
        speech.dueMs?.let { due ->
            postDelayed({ say(speech.due(SystemClock.uptimeMillis())) }, maxOf(0, due - SystemClock.uptimeMillis()))
        }
    }

    private fun showCard(screen: Screen.Card) {
        card.removeAllViews()
        val title = text(screen.title, 22f).apply {
            typeface = Typeface.DEFAULT_BOLD
            isFocusable = true
            NewerAndroid.isHeading(this)
        }
        card.addView(title)
        for (line in screen.texts) card.addView(text(line, 16f))
        for (action in screen.actions) card.addView(button(action))
        // A screen reader begins at the title.
        title.post { title.performAccessibilityAction(AccessibilityNodeInfo.ACTION_ACCESSIBILITY_FOCUS, null) }
    }

    private fun text(content: String, size: Float) = TextView(context).apply {
        text = content
        textSize = size
        setTextColor(LightView.DARK)
        setPadding(0, 0, 0, dp(16))
    }

    private fun button(action: Action) = Button(context).apply {
        text = action.label
        isAllCaps = false
        textSize = 16f
        minHeight = dp(48)
        setTextColor(if (action.primary) LightView.SURFACE else ACCENT)
        background = rounded(if (action.primary) ACCENT else LightView.SURFACE, 24).apply { setStroke(dp(2), ACCENT) }
        setPadding(dp(24), 0, dp(24), 0)
        layoutParams = LinearLayout.LayoutParams(WRAP, WRAP).apply { bottomMargin = dp(12) }
        setOnClickListener { onDeed(action.deed) }
    }

    private fun rounded(colour: Int, radius: Int) = GradientDrawable().apply {
        setColor(colour)
        cornerRadius = dp(radius).toFloat()
    }

    private fun matching() = LayoutParams(LayoutParams.MATCH_PARENT, LayoutParams.MATCH_PARENT)
    private fun visible(yes: Boolean) = if (yes) VISIBLE else GONE
    private fun dp(size: Int) = (size * density).roundToInt()

    private companion object {
        const val WRAP = LayoutParams.WRAP_CONTENT
        const val ACCENT = 0xff0b5cad.toInt()
    }
}
