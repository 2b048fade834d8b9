import type { HintCode } from "../events.js";
import { HINTS } from "../protocol/generated/texts.js";

/** The texts of the capture screen. `hints` is by code; the keys are `CODES`. */
export interface Strings {
  title: string;
  intro: string;
  start: string;
  cancel: string;
  connecting: string;
  camera: string;
  flashTitle: string;
  flashNotice: string;
  flashAccept: string;
  flashDecline: string;
  brightness: string;
  ready: string;
  tryAgain: string;
  deciding: string;
  reconnecting: string;
  unreachable: string;
  success: string;
  completed: string;
  failure: string;
  cancelled: string;
  denied: string;
  missing: string;
  busy: string;
  unsupported: string;
  network: string;
  untrusted: string;
  expired: string;
  closed: string;
  later: string;
  problem: string;
  otherCamera: string;
  hidden: string;
  cameraLost: string;
  hints: Record<HintCode, string>;
}

/** The codes with a text: those of the protocol, and of this package. Any other is shown as `UNSPECIFIED`. */
export const CODES = [
  "UNSPECIFIED",
  "GOOD",
  "NO_FACE",
  "MULTIPLE_FACES",
  "MOVE_CLOSER",
  "MOVE_BACK",
  "CENTER_FACE",
  "HOLD_STILL",
  "TOO_DARK",
  "TOO_BRIGHT",
  "BLURRED",
  "EYES_CLOSED",
  "LOOK_STRAIGHT",
  "FACE_CUT_OFF",
  "FACE_OBSTRUCTED",
  "EYES_NOT_VISIBLE",
  "MOUTH_NOT_VISIBLE",
  "SUNGLASSES",
  "FACE_MASK",
  "LOW_VIDEO_QUALITY",
  "NO_COLOURS",
  "ENVIRONMENT_NOT_SUPPORTED",
  "FACE_LOST",
  "ACTION_NOT_PERFORMED",
  "TIMED_OUT",
  "NETWORK_TOO_SLOW",
  "RAISE_SCREEN_BRIGHTNESS",
  "BLINK",
  "TURN_HEAD_SLIGHTLY",
  "OPEN_MOUTH",
  "TURN_LEFT",
  "TURN_RIGHT",
  "PROCESSING",
  "CONNECTION_LOST",
  "WRONG_ROTATION",
  "FAILED",
  "CAPTURE_TOO_SLOW",
] as const;

const KEYS = [
  "title",
  "intro",
  "start",
  "cancel",
  "connecting",
  "camera",
  "flashTitle",
  "flashNotice",
  "flashAccept",
  "flashDecline",
  "brightness",
  "ready",
  "tryAgain",
  "deciding",
  "reconnecting",
  "unreachable",
  "success",
  "completed",
  "failure",
  "cancelled",
  "denied",
  "missing",
  "busy",
  "unsupported",
  "network",
  "untrusted",
  "expired",
  "closed",
  "later",
  "problem",
  "otherCamera",
  "hidden",
  "cameraLost",
] as const satisfies (keyof Omit<Strings, "hints">)[];

/** Makes the strings of a language from lists of lines, in the order of `KEYS` and `CODES`. */
function language(texts: string, hints: string | Strings["hints"]): Strings {
  const lines = texts.trim().split("\n");
  return {
    ...(Object.fromEntries(KEYS.map((key, index) => [key, lines[index]?.trim() ?? ""])) as Omit<Strings, "hints">),
    hints: typeof hints === "string" ? byCode(hints.trim().split("\n")) : hints,
  };
}

function byCode(lines: string[]): Strings["hints"] {
  return Object.fromEntries(CODES.map((code, index) => [code, lines[index]?.trim() ?? ""]));
}

/** The languages of the package, by their BCP 47 language. */
export const LANGUAGES: Record<string, Strings> = {
  en: language(
    `Confirm that it is you
Your camera takes a few seconds of video of your face. Find an evenly lit place and take off sunglasses and hat.
Start the scan
Cancel
Connecting…
Allow this page to use your camera.
The screen will show colours
During the scan the screen changes its colour several times, at most three times a second. If flashing light can harm you, continue without colours.
Continue with colours
Continue without colours
Set your screen to full brightness.
I am ready
Please try again
Thank you. One moment, please.
The connection was lost. Connecting again…
The server cannot be reached. Trying again…
Done. It is you.
Thank you. The scan is complete.
That did not work.
The scan was cancelled.
This page may not use your camera. Allow it in the settings of your browser or of this app and start again.
No camera was found. Connect one, or use another device.
Another app uses the camera. Close it and start again.
This browser or app cannot make a scan. Update it, or use another one.
The server cannot be reached. Check your connection and start again.
This server cannot be trusted. Do not go on. Close this page, and tell the service that sent you here.
The scan took too long. Please start again.
This check is closed. Please start again.
Please try again later.
Something went wrong. Please start again.
Other camera
The page was hidden. Keep it in view until the scan is complete.
The camera gives no picture. Open its cover, close other apps that use it, or connect it again.`,
    HINTS,
  ),
  de: language(
    `Bestätigen Sie, dass Sie es sind
Ihre Kamera nimmt einige Sekunden lang Ihr Gesicht auf. Suchen Sie einen gleichmäßig beleuchteten Ort und nehmen Sie Sonnenbrille und Hut ab.
Scan starten
Abbrechen
Verbindung wird hergestellt …
Erlauben Sie dieser Seite, Ihre Kamera zu verwenden.
Der Bildschirm wird Farben zeigen
Während des Scans wechselt der Bildschirm mehrmals die Farbe, höchstens dreimal in der Sekunde. Wenn Ihnen Lichtblitze schaden können, fahren Sie ohne Farben fort.
Mit Farben fortfahren
Ohne Farben fortfahren
Stellen Sie den Bildschirm auf volle Helligkeit.
Ich bin bereit
Bitte versuchen Sie es noch einmal
Danke. Einen Moment, bitte.
Die Verbindung ist abgebrochen. Sie wird neu hergestellt …
Der Server ist nicht erreichbar. Neuer Versuch …
Fertig. Sie sind es.
Danke. Der Scan ist abgeschlossen.
Das hat nicht geklappt.
Der Scan wurde abgebrochen.
Diese Seite darf Ihre Kamera nicht verwenden. Erlauben Sie es in den Einstellungen des Browsers oder dieser App und starten Sie neu.
Es wurde keine Kamera gefunden. Schließen Sie eine an, oder verwenden Sie ein anderes Gerät.
Eine andere App verwendet die Kamera. Schließen Sie diese und starten Sie neu.
Dieser Browser oder diese App kann keinen Scan machen. Machen Sie ein Update oder verwenden Sie etwas anderes.
Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung und starten Sie neu.
Diesem Server kann nicht vertraut werden. Fahren Sie nicht fort. Schließen Sie diese Seite und informieren Sie den Dienst, der Sie hierher geschickt hat.
Der Scan hat zu lange gedauert. Bitte starten Sie neu.
Diese Prüfung ist geschlossen. Bitte starten Sie neu.
Bitte versuchen Sie es später noch einmal.
Etwas ist schiefgegangen. Bitte starten Sie neu.
Andere Kamera
Die Seite war verdeckt. Lassen Sie sie sichtbar, bis der Scan abgeschlossen ist.
Die Kamera liefert kein Bild. Öffnen Sie ihre Abdeckung, schließen Sie andere Apps, die sie verwenden, oder schließen Sie sie neu an.`,
    `Halten Sie Ihr Gesicht im Oval.
Gut. Bleiben Sie so.
Bringen Sie Ihr Gesicht in das Oval.
Nur eine Person darf im Bild sein.
Kommen Sie näher.
Gehen Sie etwas zurück.
Halten Sie Ihr Gesicht in die Mitte des Ovals.
Halten Sie still.
Suchen Sie einen helleren Ort.
Suchen Sie einen Ort mit weniger Licht.
Halten Sie still und reinigen Sie die Linse, wenn das Bild unscharf bleibt.
Öffnen Sie die Augen.
Schauen Sie gerade in die Kamera.
Ihr ganzes Gesicht muss im Bild sein.
Ihr Gesicht darf nicht verdeckt sein.
Beide Augen müssen zu sehen sein.
Ihr Mund muss zu sehen sein.
Nehmen Sie die Sonnenbrille ab.
Nehmen Sie die Maske ab.
Das Bild der Kamera ist zu schlecht. Reinigen Sie die Linse oder verwenden Sie eine andere Kamera.
Das Bild der Kamera hat keine Farben. Verwenden Sie eine andere Kamera oder schalten Sie ihren Nachtmodus aus.
Suchen Sie einen anderen Ort, ohne starkes Licht im Rücken.
Ihr Gesicht ist nicht mehr zu sehen. Halten Sie es im Oval.
Folgen Sie den Anweisungen auf dem Bildschirm.
Das hat zu lange gedauert. Bitte versuchen Sie es noch einmal.
Die Verbindung ist zu langsam. Suchen Sie ein besseres Netz und versuchen Sie es noch einmal.
Stellen Sie den Bildschirm heller.
Bitte blinzeln Sie.
Drehen Sie den Kopf leicht hin und her.
Öffnen Sie den Mund weit und schließen Sie ihn wieder.
← Drehen Sie den Kopf nach links und wieder zurück.
→ Drehen Sie den Kopf nach rechts und wieder zurück.
Danke. Einen Moment, bitte.
Die Verbindung ist abgebrochen. Bitte versuchen Sie es noch einmal.
Halten Sie das Telefon aufrecht.
Das hat nicht geklappt.
Dieses Gerät nimmt zu wenige Bilder auf. Schließen Sie andere Apps und Seiten und suchen Sie einen helleren Ort.`,
  ),
  fr: language(
    `Confirmez que c’est bien vous
Votre caméra filme votre visage pendant quelques secondes. Choisissez un endroit bien éclairé et retirez lunettes de soleil et chapeau.
Commencer le scan
Annuler
Connexion…
Autorisez cette page à utiliser votre caméra.
L’écran va afficher des couleurs
Pendant le scan, l’écran change plusieurs fois de couleur, au plus trois fois par seconde. Si des éclairs de lumière peuvent vous nuire, continuez sans couleurs.
Continuer avec les couleurs
Continuer sans couleurs
Réglez la luminosité de l’écran au maximum.
Je suis prêt·e
Veuillez réessayer
Merci. Un instant, s’il vous plaît.
La connexion a été perdue. Nouvelle connexion…
Le serveur est injoignable. Nouvelle tentative…
Terminé. C’est bien vous.
Merci. Le scan est terminé.
Cela n’a pas fonctionné.
Le scan a été annulé.
Cette page ne peut pas utiliser votre caméra. Autorisez-la dans les réglages du navigateur ou de cette application et recommencez.
Aucune caméra n’a été trouvée. Branchez-en une ou utilisez un autre appareil.
Une autre application utilise la caméra. Fermez-la et recommencez.
Ce navigateur ou cette application ne permet pas le scan. Faites une mise à jour ou utilisez-en un autre.
Le serveur est injoignable. Vérifiez votre connexion et recommencez.
Ce serveur n’est pas fiable. Ne continuez pas. Fermez cette page et prévenez le service qui vous a envoyé ici.
Le scan a duré trop longtemps. Veuillez recommencer.
Cette vérification est close. Veuillez recommencer.
Veuillez réessayer plus tard.
Un problème est survenu. Veuillez recommencer.
Autre caméra
La page était masquée. Gardez-la visible jusqu’à la fin de l’analyse.
La caméra ne donne pas d’image. Ouvrez son cache, fermez les autres applications qui l’utilisent ou rebranchez-la.`,
    `Gardez votre visage dans l’ovale.
Bien. Restez ainsi.
Placez votre visage dans l’ovale.
Une seule personne doit être à l’image.
Rapprochez-vous.
Reculez un peu.
Centrez votre visage dans l’ovale.
Ne bougez pas.
Trouvez un endroit plus clair.
Trouvez un endroit moins lumineux.
Ne bougez pas, et nettoyez l’objectif si l’image reste floue.
Ouvrez les yeux.
Regardez droit vers la caméra.
Placez-vous de façon que tout votre visage soit à l’image.
Découvrez votre visage.
Vos deux yeux doivent être visibles.
Votre bouche doit être visible.
Retirez vos lunettes de soleil.
Retirez votre masque.
L’image de la caméra est trop mauvaise. Nettoyez l’objectif ou utilisez une autre caméra.
L’image de la caméra est sans couleurs. Utilisez une autre caméra ou désactivez son mode nuit.
Trouvez un autre endroit, sans forte lumière derrière vous.
Votre visage n’est plus visible. Gardez-le dans l’ovale.
Suivez les instructions à l’écran.
Cela a pris trop de temps. Veuillez réessayer.
La connexion est trop lente. Trouvez un meilleur réseau et réessayez.
Augmentez la luminosité de l’écran.
Clignez des yeux.
Tournez légèrement la tête d’un côté à l’autre.
Ouvrez grand la bouche, puis refermez-la.
← Tournez la tête vers votre gauche, puis revenez.
→ Tournez la tête vers votre droite, puis revenez.
Merci. Un instant, s’il vous plaît.
La connexion a été perdue. Veuillez réessayer.
Tenez le téléphone à la verticale.
Cela n’a pas fonctionné.
Cet appareil capte trop peu d’images. Fermez les autres applications et pages et trouvez un endroit plus lumineux.`,
  ),
  es: language(
    `Confirme que es usted
La cámara graba su rostro durante unos segundos. Busque un lugar bien iluminado y quítese las gafas de sol y el sombrero.
Empezar el escaneo
Cancelar
Conectando…
Permita que esta página use su cámara.
La pantalla mostrará colores
Durante el escaneo la pantalla cambia de color varias veces, como máximo tres veces por segundo. Si los destellos de luz pueden hacerle daño, continúe sin colores.
Continuar con colores
Continuar sin colores
Ponga la pantalla al máximo brillo.
Ya puedo seguir
Inténtelo de nuevo
Gracias. Un momento, por favor.
Se perdió la conexión. Conectando de nuevo…
No se puede acceder al servidor. Intentándolo de nuevo…
Listo. Es usted.
Gracias. El escaneo ha terminado.
No ha funcionado.
El escaneo se ha cancelado.
Esta página no puede usar la cámara. Permítalo en los ajustes del navegador o de esta aplicación y empiece de nuevo.
No se encontró ninguna cámara. Conecte una o use otro dispositivo.
Otra aplicación usa la cámara. Ciérrela y empiece de nuevo.
Este navegador o esta aplicación no permite el escaneo. Actualice o use otro.
No se puede acceder al servidor. Compruebe la conexión y empiece de nuevo.
Este servidor no es de confianza. No continúe. Cierre esta página y avise al servicio que le envió aquí.
El escaneo tardó demasiado. Empiece de nuevo.
Esta comprobación está cerrada. Empiece de nuevo.
Inténtelo más tarde.
Algo ha fallado. Empiece de nuevo.
Otra cámara
La página quedó oculta. Manténgala visible hasta que termine el escaneo.
La cámara no da imagen. Abra su tapa, cierre otras aplicaciones que la usen o vuelva a conectarla.`,
    `Mantenga el rostro en el óvalo.
Bien. Siga así.
Ponga el rostro en el óvalo.
Solo puede haber una persona en la imagen.
Acérquese.
Aléjese un poco.
Centre el rostro en el óvalo.
No se mueva.
Busque un lugar más iluminado.
Busque un lugar con menos luz.
No se mueva, y limpie el objetivo si la imagen sigue borrosa.
Abra los ojos.
Mire de frente a la cámara.
Colóquese de modo que se vea todo su rostro.
Descúbrase el rostro.
Deben verse los dos ojos.
Debe verse la boca.
Quítese las gafas de sol.
Quítese la mascarilla.
La imagen de la cámara es demasiado mala. Limpie el objetivo o use otra cámara.
La imagen de la cámara no tiene colores. Use otra cámara o desactive su modo nocturno.
Busque otro lugar, sin una luz fuerte detrás.
Su rostro dejó de verse. Manténgalo en el óvalo.
Siga las instrucciones de la pantalla.
Ha tardado demasiado. Inténtelo de nuevo.
La conexión es demasiado lenta. Busque una red mejor e inténtelo de nuevo.
Suba el brillo de la pantalla.
Parpadee, por favor.
Gire un poco la cabeza de un lado a otro.
Abra mucho la boca y vuelva a cerrarla.
← Gire la cabeza a su izquierda y vuelva al frente.
→ Gire la cabeza a su derecha y vuelva al frente.
Gracias. Un momento, por favor.
Se perdió la conexión. Inténtelo de nuevo.
Sostenga el teléfono en vertical.
No ha funcionado.
Este dispositivo capta muy pocas imágenes. Cierre otras aplicaciones y páginas y busque un lugar más iluminado.`,
  ),
  pt: language(
    `Confirme que é você
A câmera grava o seu rosto por alguns segundos. Procure um lugar bem iluminado e tire os óculos de sol e o chapéu.
Começar a verificação
Cancelar
Conectando…
Permita que esta página use a sua câmera.
A tela vai mostrar cores
Durante a verificação a tela muda de cor várias vezes, no máximo três vezes por segundo. Se luzes piscantes podem fazer mal a você, continue sem cores.
Continuar com cores
Continuar sem cores
Coloque a tela no brilho máximo.
Posso continuar
Tente de novo
Obrigado. Um momento, por favor.
A conexão foi perdida. Conectando de novo…
Não é possível acessar o servidor. Tentando de novo…
Pronto. É você.
Obrigado. A verificação terminou.
Não funcionou.
A verificação foi cancelada.
Esta página não pode usar a câmera. Permita o uso nas configurações do navegador ou deste aplicativo e comece de novo.
Nenhuma câmera foi encontrada. Conecte uma ou use outro dispositivo.
Outro aplicativo usa a câmera. Feche-o e comece de novo.
Este navegador ou aplicativo não permite a verificação. Atualize-o ou use outro.
Não é possível acessar o servidor. Verifique a conexão e comece de novo.
Este servidor não é confiável. Não continue. Feche esta página e avise o serviço que enviou você para cá.
A verificação demorou demais. Comece de novo.
Esta verificação foi encerrada. Comece de novo.
Tente de novo mais tarde.
Algo deu errado. Comece de novo.
Outra câmera
A página ficou oculta. Mantenha-a visível até a verificação terminar.
A câmera não mostra imagem. Abra a tampa dela, feche outros aplicativos que a usam ou conecte-a novamente.`,
    `Mantenha o rosto no oval.
Bom. Continue assim.
Coloque o rosto no oval.
Só uma pessoa pode aparecer na imagem.
Chegue mais perto.
Afaste-se um pouco.
Centralize o rosto no oval.
Não se mexa.
Procure um lugar mais claro.
Procure um lugar com menos luz.
Não se mexa, e limpe a lente se a imagem continuar desfocada.
Abra os olhos.
Olhe diretamente para a câmera.
Mova-se para que todo o rosto apareça na imagem.
Descubra o rosto.
Os dois olhos devem aparecer.
A boca deve aparecer.
Tire os óculos de sol.
Tire a máscara.
A imagem da câmera é muito ruim. Limpe a lente ou use outra câmera.
A imagem da câmera não tem cores. Use outra câmera ou desative o modo noturno.
Procure outro lugar, sem luz forte atrás de você.
O rosto não aparece mais. Mantenha-o no oval.
Siga as instruções na tela.
Demorou demais. Tente de novo.
A conexão é lenta demais. Procure uma rede melhor e tente de novo.
Aumente o brilho da tela.
Pisque, por favor.
Vire um pouco a cabeça de um lado para o outro.
Abra bem a boca e depois feche-a.
← Vire a cabeça para a sua esquerda e volte ao centro.
→ Vire a cabeça para a sua direita e volte ao centro.
Obrigado. Um momento, por favor.
A conexão foi perdida. Tente de novo.
Segure o telefone na vertical.
Não funcionou.
Este dispositivo capta poucas imagens. Feche outros aplicativos e páginas e procure um lugar mais iluminado.`,
  ),
  hi: language(
    `पुष्टि करें कि यह आप ही हैं
आपका कैमरा कुछ सेकंड तक आपके चेहरे का वीडियो लेता है। समान रोशनी वाली जगह चुनें और धूप का चश्मा तथा टोपी उतार दें।
स्कैन शुरू करें
रद्द करें
कनेक्ट हो रहा है…
इस पेज को अपना कैमरा इस्तेमाल करने दें।
स्क्रीन रंग दिखाएगी
स्कैन के दौरान स्क्रीन का रंग कई बार बदलता है, एक सेकंड में ज़्यादा से ज़्यादा तीन बार। अगर चमकती रोशनी आपको नुकसान पहुँचा सकती है, तो रंगों के बिना जारी रखें।
रंगों के साथ जारी रखें
रंगों के बिना जारी रखें
स्क्रीन की चमक पूरी कर दें।
मैं तैयार हूँ
कृपया फिर से कोशिश करें
धन्यवाद। कृपया एक क्षण रुकें।
कनेक्शन टूट गया। फिर से कनेक्ट हो रहा है…
सर्वर तक नहीं पहुँचा जा सका। फिर से कोशिश हो रही है…
हो गया। यह आप ही हैं।
धन्यवाद। स्कैन पूरा हुआ।
यह नहीं हो सका।
स्कैन रद्द कर दिया गया।
यह पेज आपका कैमरा इस्तेमाल नहीं कर सकता। ब्राउज़र या इस ऐप की सेटिंग में अनुमति दें और फिर से शुरू करें।
कोई कैमरा नहीं मिला। कैमरा जोड़ें या किसी दूसरे डिवाइस का उपयोग करें।
कोई दूसरा ऐप कैमरा इस्तेमाल कर रहा है। उसे बंद करें और फिर से शुरू करें।
यह ब्राउज़र या ऐप स्कैन नहीं कर सकता। इसे अपडेट करें या दूसरा इस्तेमाल करें।
सर्वर तक नहीं पहुँचा जा सका। अपना कनेक्शन जाँचें और फिर से शुरू करें।
इस सर्वर पर भरोसा नहीं किया जा सकता। आगे न बढ़ें। यह पेज बंद करें और उस सेवा को बताएँ जिसने आपको यहाँ भेजा।
स्कैन में बहुत समय लगा। कृपया फिर से शुरू करें।
यह जाँच बंद हो चुकी है। कृपया फिर से शुरू करें।
कृपया बाद में फिर से कोशिश करें।
कुछ गड़बड़ हुई। कृपया फिर से शुरू करें।
दूसरा कैमरा
पृष्ठ छिप गया था। स्कैन पूरा होने तक इसे सामने रखें।
कैमरे से तस्वीर नहीं आ रही है। उसका ढक्कन खोलें, कैमरा इस्तेमाल करने वाले दूसरे ऐप बंद करें या उसे फिर से जोड़ें।`,
    `अपना चेहरा अंडाकार घेरे में रखें।
अच्छा। ऐसे ही रहें।
अपना चेहरा अंडाकार घेरे में लाएँ।
तस्वीर में केवल एक व्यक्ति होना चाहिए।
और पास आएँ।
थोड़ा पीछे जाएँ।
चेहरा अंडाकार घेरे के बीच में रखें।
स्थिर रहें।
ज़्यादा रोशनी वाली जगह चुनें।
कम रोशनी वाली जगह चुनें।
स्थिर रहें, और तस्वीर धुंधली रहे तो लेंस साफ़ करें।
अपनी आँखें खोलें।
सीधे कैमरे की ओर देखें।
ऐसे रहें कि पूरा चेहरा तस्वीर में आए।
चेहरे से आड़ हटाएँ।
दोनों आँखें दिखनी चाहिए।
आपका मुँह दिखना चाहिए।
धूप का चश्मा उतारें।
मास्क उतारें।
कैमरे की तस्वीर बहुत ख़राब है। लेंस साफ़ करें या दूसरा कैमरा इस्तेमाल करें।
कैमरे की तस्वीर में रंग नहीं हैं। दूसरा कैमरा इस्तेमाल करें या उसका नाइट मोड बंद करें।
दूसरी जगह चुनें, जहाँ आपके पीछे तेज़ रोशनी न हो।
आपका चेहरा दिखना बंद हो गया। उसे अंडाकार घेरे में रखें।
स्क्रीन पर दिए निर्देशों का पालन करें।
इसमें बहुत समय लगा। कृपया फिर से कोशिश करें।
कनेक्शन बहुत धीमा है। बेहतर नेटवर्क चुनें और फिर से कोशिश करें।
स्क्रीन की चमक बढ़ाएँ।
कृपया पलक झपकाएँ।
सिर को थोड़ा दाएँ-बाएँ घुमाएँ।
अपना मुँह पूरा खोलें, फिर बंद करें।
← अपना सिर अपनी बाईं ओर घुमाएँ, फिर सामने लाएँ।
→ अपना सिर अपनी दाईं ओर घुमाएँ, फिर सामने लाएँ।
धन्यवाद। कृपया एक क्षण रुकें।
कनेक्शन टूट गया। कृपया फिर से कोशिश करें।
फ़ोन को सीधा पकड़ें।
यह नहीं हो सका।
यह डिवाइस बहुत कम तस्वीरें ले पा रहा है। दूसरे ऐप और पेज बंद करें और ज़्यादा रोशनी वाली जगह चुनें।`,
  ),
  ar: language(
    `أكِّد أنك أنت
تصوّر الكاميرا وجهك لبضع ثوانٍ. اختر مكانًا بإضاءة متساوية واخلع النظارة الشمسية والقبعة.
ابدأ المسح
إلغاء
جارٍ الاتصال…
اسمح لهذه الصفحة باستخدام الكاميرا.
ستعرض الشاشة ألوانًا
يتغيّر لون الشاشة أثناء المسح عدة مرات، ثلاث مرات في الثانية على الأكثر. إذا كان الضوء الوامض قد يضرّك فتابع من دون ألوان.
المتابعة مع الألوان
المتابعة من دون ألوان
اضبط سطوع الشاشة على أقصاه.
أنا جاهز
يُرجى المحاولة مرة أخرى
شكرًا. لحظة من فضلك.
انقطع الاتصال. جارٍ الاتصال من جديد…
تعذّر الوصول إلى الخادم. جارٍ المحاولة من جديد…
تمّ. إنه أنت.
شكرًا. اكتمل المسح.
لم ينجح ذلك.
أُلغي المسح.
لا يُسمح لهذه الصفحة باستخدام الكاميرا. اسمح بذلك في إعدادات المتصفح أو هذا التطبيق وابدأ من جديد.
لم يُعثر على كاميرا. وصِّل كاميرا أو استخدم جهازًا آخر.
يستخدم تطبيق آخر الكاميرا. أغلقه وابدأ من جديد.
لا يدعم هذا المتصفح أو التطبيق المسح. حدّثه أو استخدم غيره.
تعذّر الوصول إلى الخادم. تحقق من اتصالك وابدأ من جديد.
لا يمكن الوثوق بهذا الخادم. لا تتابع. أغلق هذه الصفحة وأخبر الجهة التي أرسلتك إلى هنا.
استغرق المسح وقتًا طويلًا. يُرجى البدء من جديد.
أُغلق هذا التحقق. يُرجى البدء من جديد.
يُرجى المحاولة لاحقًا.
حدث خطأ ما. يُرجى البدء من جديد.
كاميرا أخرى
كانت الصفحة مخفية. أبقها ظاهرة حتى يكتمل المسح.
لا تعطي الكاميرا صورة. افتح غطاءها أو أغلق التطبيقات الأخرى التي تستخدمها أو أعد توصيلها.`,
    `أبقِ وجهك داخل الشكل البيضوي.
جيد. ابقَ هكذا.
ضع وجهك داخل الشكل البيضوي.
يجب أن يظهر شخص واحد فقط في الصورة.
اقترب أكثر.
ابتعد قليلًا.
ضع وجهك في وسط الشكل البيضوي.
لا تتحرك.
ابحث عن مكان أكثر إضاءة.
ابحث عن مكان أقل إضاءة.
لا تتحرك، ونظّف العدسة إذا بقيت الصورة غير واضحة.
افتح عينيك.
انظر مباشرة إلى الكاميرا.
تحرّك ليظهر وجهك كاملًا في الصورة.
اكشف وجهك.
يجب أن تظهر العينان كلتاهما.
يجب أن يظهر فمك.
اخلع النظارة الشمسية.
اخلع الكمامة.
صورة الكاميرا رديئة جدًا. نظّف العدسة أو استخدم كاميرا أخرى.
صورة الكاميرا بلا ألوان. استخدم كاميرا أخرى أو أوقف وضعها الليلي.
ابحث عن مكان آخر بلا ضوء قوي خلفك.
لم يعد وجهك ظاهرًا. أبقِه داخل الشكل البيضوي.
اتبع التعليمات على الشاشة.
استغرق ذلك وقتًا طويلًا. يُرجى المحاولة مرة أخرى.
الاتصال بطيء جدًا. ابحث عن شبكة أفضل وحاول مرة أخرى.
ارفع سطوع الشاشة.
ارمش من فضلك.
أدر رأسك قليلًا من جانب إلى آخر.
افتح فمك على اتساعه ثم أغلقه.
← أدر رأسك إلى يسارك ثم عُد به إلى الأمام.
→ أدر رأسك إلى يمينك ثم عُد به إلى الأمام.
شكرًا. لحظة من فضلك.
انقطع الاتصال. يُرجى المحاولة مرة أخرى.
أمسك الهاتف بشكل عمودي.
لم ينجح ذلك.
يلتقط هذا الجهاز صورًا قليلة جدًا. أغلق التطبيقات والصفحات الأخرى وابحث عن مكان أكثر إضاءة.`,
  ),
};

/** The first of the wanted languages (BCP 47) that the package has, else English. */
export function languageFor(wanted: readonly string[]): string {
  for (const tag of wanted) {
    const primary = tag.toLowerCase().split("-")[0] ?? "";
    if (Object.hasOwn(LANGUAGES, primary)) return primary;
  }
  return "en";
}

/** The text of a code. */
export function textFor({ hints }: Strings, code: HintCode): string {
  return hints[code] ?? hints.UNSPECIFIED ?? "";
}
