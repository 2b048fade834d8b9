import 'package:webview_flutter/webview_flutter.dart';
import 'package:webview_flutter_wkwebview/webview_flutter_wkwebview.dart';

const origin = 'https://verify.bank.example';

WebViewController scanController(void Function(String checkId) onScanOver) =>
    WebViewController.fromPlatformCreationParams(
      WebViewPlatform.instance is WebKitWebViewPlatform
          ? WebKitWebViewControllerCreationParams(
              allowsInlineMediaPlayback: true,
              mediaTypesRequiringUserAction: const <PlaybackMediaTypes>{},
            )
          : const PlatformWebViewControllerCreationParams(),
      onPermissionRequest: (request) =>
          request.types.every((type) => type == WebViewPermissionResourceType.camera) ? request.grant() : request.deny(),
    )
      ..setJavaScriptMode(JavaScriptMode.unrestricted)
      ..setNavigationDelegate(NavigationDelegate(
        onNavigationRequest: (request) =>
            request.url.startsWith('$origin/') ? NavigationDecision.navigate : NavigationDecision.prevent,
      ))
      ..addJavaScriptChannel('facegate', onMessageReceived: (message) => onScanOver(message.message))
      ..loadRequest(Uri.parse('$origin/scan'));
