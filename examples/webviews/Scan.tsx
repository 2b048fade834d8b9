import { WebView } from "react-native-webview";

const ORIGIN = "https://verify.bank.example";

export function Scan({ onScanOver }: { onScanOver: (checkId: string) => void }) {
  return (
    <WebView
      source={{ uri: `${ORIGIN}/scan` }}
      originWhitelist={[ORIGIN]}
      allowsInlineMediaPlayback
      mediaPlaybackRequiresUserAction={false}
      mediaCapturePermissionGrantType="grantIfSameHostElseDeny"
      onMessage={({ nativeEvent }) => {
        if (nativeEvent.url.startsWith(`${ORIGIN}/`)) onScanOver(nativeEvent.data);
      }}
    />
  );
}
