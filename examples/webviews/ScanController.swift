import UIKit
import WebKit

final class ScanController: UIViewController, WKUIDelegate, WKScriptMessageHandler {
    private let host = "verify.bank.example"
    var onScanOver: ((String) -> Void)?

    override func loadView() {
        let configuration = WKWebViewConfiguration()
        configuration.allowsInlineMediaPlayback = true
        configuration.mediaTypesRequiringUserActionForPlayback = []
        configuration.userContentController.add(self, name: "facegate")
        let webView = WKWebView(frame: .zero, configuration: configuration)
        webView.uiDelegate = self
        webView.load(URLRequest(url: URL(string: "https://\(host)/scan")!))
        view = webView
    }

    func webView(_ webView: WKWebView, requestMediaCapturePermissionFor origin: WKSecurityOrigin,
                 initiatedByFrame frame: WKFrameInfo, type: WKMediaCaptureType,
                 decisionHandler: @escaping (WKPermissionDecision) -> Void) {
        decisionHandler(origin.host == host && type == .camera ? .grant : .deny)
    }

    func userContentController(_ controller: WKUserContentController, didReceive message: WKScriptMessage) {
        guard message.frameInfo.isMainFrame, message.frameInfo.securityOrigin.host == host else { return }
        onScanOver?(message.body as? String ?? "")
    }
}
