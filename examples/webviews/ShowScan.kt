import android.net.Uri
import android.webkit.PermissionRequest
import android.webkit.WebChromeClient
import android.webkit.WebResourceRequest
import android.webkit.WebView
import android.webkit.WebViewClient
import androidx.webkit.WebViewCompat

private const val ORIGIN = "https://verify.bank.example"

private fun isOurs(uri: Uri) = "${uri.scheme}://${uri.authority}" == ORIGIN

fun showScan(webView: WebView, onScanOver: (checkId: String) -> Unit) {
    webView.settings.javaScriptEnabled = true
    webView.settings.domStorageEnabled = true
    webView.settings.mediaPlaybackRequiresUserGesture = false
    webView.keepScreenOn = true
    webView.webViewClient = object : WebViewClient() {
        override fun shouldOverrideUrlLoading(view: WebView, request: WebResourceRequest) = !isOurs(request.url)
    }
    webView.webChromeClient = object : WebChromeClient() {
        override fun onPermissionRequest(request: PermissionRequest) {
            val camera = arrayOf(PermissionRequest.RESOURCE_VIDEO_CAPTURE)
            if (isOurs(request.origin) && request.resources.contentEquals(camera)) request.grant(camera) else request.deny()
        }
    }
    WebViewCompat.addWebMessageListener(webView, "facegate", setOf(ORIGIN)) { _, message, _, isMainFrame, _ ->
        if (isMainFrame) onScanOver(message.data.orEmpty())
    }
    webView.loadUrl("$ORIGIN/scan")
}
