/** The page's own texts. Those of the scan itself are the capture screen's. */
import { LANGUAGES, languageFor, type Strings } from "@facegate/protocol/strings.js";

export interface Texts {
  own: string;
  language: string;
  privacy: string;
  imprint: string;
  help: string;
  consent: string;
  agree: string;
  agreeAndStart: string;
  decline: string;
  declinedTitle: string;
  declinedText: string;
  undo: string;
  usePhone: string;
  useThis: string;
  noCamera: string;
  codeTitle: string;
  codeText: string;
  codePicture: string;
  waiting: string;
  lapsed: string;
  newCode: string;
  askTitle: string;
  askText: string;
  number: string;
  confirm: string;
  notMine: string;
  reopened: string;
  wrongNumber: string;
  connected: string;
  scanning: string;
  interrupted: string;
  phoneTitle: string;
  phoneWarning: string;
  numberTitle: string;
  numberText: string;
  doneTitle: string;
  doneText: string;
  donePhone: string;
  returnNow: string;
  returning: string;
  again: string;
  stopTitle: string;
  unknown: string;
  used: string;
  expired: string;
  closed: string;
  codeUnknown: string;
  codeUsed: string;
  handedOver: string;
  tooMany: string;
}

export const TEXTS: Record<string, Texts> = {
  en: {
    own: "English",
    language: "Language",
    privacy: "Privacy",
    imprint: "Legal notice",
    help: "Help",
    consent: "{name} wants to confirm that it is you. Your camera takes a few seconds of video of your face. It is compared with the picture that {name} has of you. If you continue, you agree to this.",
    agree: "Agree and continue",
    agreeAndStart: "Agree and start the scan",
    decline: "I do not agree",
    declinedTitle: "No scan was made",
    declinedText: "You did not agree, so no picture of you was taken. You can close this page, and ask {name} for another way.",
    undo: "Back to the scan",
    usePhone: "Use a phone instead",
    useThis: "Scan on this device",
    noCamera: "No camera was found on this device. Use your phone for the scan.",
    codeTitle: "Scan this code with your phone",
    codeText: "Open your phone’s camera and point it at the code. Leave this page open.",
    codePicture: "QR code that opens the scan on a phone",
    waiting: "Waiting for your phone…",
    lapsed: "This code can no longer be used.",
    newCode: "Show a new code",
    askTitle: "Which number does your phone show?",
    askText: "A phone opened the code. Enter the number that you see on it, so that nobody else can take your place.",
    number: "Number on the phone",
    confirm: "Confirm",
    notMine: "That is not my phone",
    reopened: "A second device tried to open this code. Confirm only a number that you see on your own phone.",
    wrongNumber: "The phone showed another number, so it may not scan. Show a new code and try again.",
    connected: "Your phone is connected. Continue there.",
    scanning: "Your phone is scanning…",
    interrupted: "The scan was interrupted. Continue on your phone.",
    phoneTitle: "Scan with this phone",
    phoneWarning: "Continue only if you opened the code yourself, on your own device. If somebody sent or showed it to you, close this page. You are on {host}.",
    numberTitle: "Enter this number on your other device",
    numberText: "The scan begins here as soon as you have confirmed the number there.",
    doneTitle: "The scan is complete",
    doneText: "You can close this page.",
    donePhone: "Continue on your other device. You can close this page.",
    returnNow: "Back to {name}",
    returning: "You will be taken back to {name} in a moment.",
    again: "Try again",
    stopTitle: "This scan cannot continue",
    unknown: "This link is not valid. Open the latest link that you received, or ask {name} for a new one.",
    used: "This link was opened before in another browser. Continue there. If that was not you, tell {name}.",
    expired: "The time for this scan is over. Ask {name} for a new link.",
    closed: "This check is closed. There is nothing left to do here.",
    codeUnknown: "This code is no longer valid. Show a new one on your other device.",
    codeUsed: "Another device has already opened this code. Show a new one on your other device.",
    handedOver: "A phone has this scan already. If it is not yours, ask {name} for a new link.",
    tooMany: "Too many codes were shown. Scan on this device, or ask {name} for a new link.",
  },
  de: {
    own: "Deutsch",
    language: "Sprache",
    privacy: "Datenschutz",
    imprint: "Impressum",
    help: "Hilfe",
    consent: "{name} möchte bestätigen, dass Sie es sind. Ihre Kamera nimmt einige Sekunden lang Ihr Gesicht auf. Die Aufnahme wird mit dem Bild verglichen, das {name} von Ihnen hat. Wenn Sie fortfahren, stimmen Sie dem zu.",
    agree: "Zustimmen und fortfahren",
    agreeAndStart: "Zustimmen und Scan starten",
    decline: "Ich stimme nicht zu",
    declinedTitle: "Es wurde kein Scan gemacht",
    declinedText: "Sie haben nicht zugestimmt, also wurde kein Bild von Ihnen aufgenommen. Sie können diese Seite schließen und {name} nach einem anderen Weg fragen.",
    undo: "Zurück zum Scan",
    usePhone: "Stattdessen ein Telefon verwenden",
    useThis: "Mit diesem Gerät scannen",
    noCamera: "An diesem Gerät wurde keine Kamera gefunden. Verwenden Sie für den Scan Ihr Telefon.",
    codeTitle: "Scannen Sie diesen Code mit Ihrem Telefon",
    codeText: "Öffnen Sie die Kamera Ihres Telefons und richten Sie sie auf den Code. Lassen Sie diese Seite offen.",
    codePicture: "QR-Code, der den Scan auf einem Telefon öffnet",
    waiting: "Warten auf Ihr Telefon …",
    lapsed: "Dieser Code kann nicht mehr verwendet werden.",
    newCode: "Neuen Code zeigen",
    askTitle: "Welche Zahl zeigt Ihr Telefon?",
    askText: "Ein Telefon hat den Code geöffnet. Geben Sie die Zahl ein, die Sie darauf sehen, damit niemand sonst Ihren Platz einnehmen kann.",
    number: "Zahl auf dem Telefon",
    confirm: "Bestätigen",
    notMine: "Das ist nicht mein Telefon",
    reopened: "Ein zweites Gerät hat versucht, diesen Code zu öffnen. Bestätigen Sie nur eine Zahl, die Sie auf Ihrem eigenen Telefon sehen.",
    wrongNumber: "Das Telefon zeigte eine andere Zahl und darf deshalb nicht scannen. Zeigen Sie einen neuen Code und versuchen Sie es noch einmal.",
    connected: "Ihr Telefon ist verbunden. Fahren Sie dort fort.",
    scanning: "Ihr Telefon scannt …",
    interrupted: "Der Scan wurde unterbrochen. Fahren Sie auf Ihrem Telefon fort.",
    phoneTitle: "Mit diesem Telefon scannen",
    phoneWarning: "Fahren Sie nur fort, wenn Sie den Code selbst auf Ihrem eigenen Gerät geöffnet haben. Hat Ihnen jemand den Code geschickt oder gezeigt, schließen Sie diese Seite. Sie sind auf {host}.",
    numberTitle: "Geben Sie diese Zahl auf Ihrem anderen Gerät ein",
    numberText: "Der Scan beginnt hier, sobald Sie die Zahl dort bestätigt haben.",
    doneTitle: "Der Scan ist abgeschlossen",
    doneText: "Sie können diese Seite schließen.",
    donePhone: "Fahren Sie auf Ihrem anderen Gerät fort. Sie können diese Seite schließen.",
    returnNow: "Zurück zu {name}",
    returning: "Sie werden gleich zu {name} zurückgeleitet.",
    again: "Noch einmal versuchen",
    stopTitle: "Dieser Scan kann nicht fortgesetzt werden",
    unknown: "Dieser Link ist nicht gültig. Öffnen Sie den neuesten Link, den Sie erhalten haben, oder bitten Sie {name} um einen neuen.",
    used: "Dieser Link wurde schon in einem anderen Browser geöffnet. Fahren Sie dort fort. Wenn Sie das nicht waren, informieren Sie {name}.",
    expired: "Die Zeit für diesen Scan ist abgelaufen. Bitten Sie {name} um einen neuen Link.",
    closed: "Diese Prüfung ist geschlossen. Hier ist nichts mehr zu tun.",
    codeUnknown: "Dieser Code ist nicht mehr gültig. Zeigen Sie auf Ihrem anderen Gerät einen neuen.",
    codeUsed: "Ein anderes Gerät hat diesen Code schon geöffnet. Zeigen Sie auf Ihrem anderen Gerät einen neuen.",
    handedOver: "Ein Telefon hat diesen Scan schon übernommen. Wenn es nicht Ihres ist, bitten Sie {name} um einen neuen Link.",
    tooMany: "Es wurden zu viele Codes gezeigt. Scannen Sie mit diesem Gerät, oder bitten Sie {name} um einen neuen Link.",
  },
  fr: {
    own: "Français",
    language: "Langue",
    privacy: "Confidentialité",
    imprint: "Mentions légales",
    help: "Aide",
    consent: "{name} veut confirmer que c’est bien vous. Votre caméra filme votre visage pendant quelques secondes. La vidéo est comparée à la photo que {name} a de vous. En continuant, vous l’acceptez.",
    agree: "Accepter et continuer",
    agreeAndStart: "Accepter et commencer le scan",
    decline: "Je n’accepte pas",
    declinedTitle: "Aucun scan n’a été fait",
    declinedText: "Vous n’avez pas accepté : aucune image de vous n’a été prise. Vous pouvez fermer cette page et demander à {name} un autre moyen.",
    undo: "Revenir au scan",
    usePhone: "Utiliser plutôt un téléphone",
    useThis: "Scanner avec cet appareil",
    noCamera: "Aucune caméra n’a été trouvée sur cet appareil. Utilisez votre téléphone pour le scan.",
    codeTitle: "Scannez ce code avec votre téléphone",
    codeText: "Ouvrez l’appareil photo de votre téléphone et visez le code. Laissez cette page ouverte.",
    codePicture: "Code QR qui ouvre le scan sur un téléphone",
    waiting: "En attente de votre téléphone…",
    lapsed: "Ce code ne peut plus être utilisé.",
    newCode: "Afficher un nouveau code",
    askTitle: "Quel nombre affiche votre téléphone ?",
    askText: "Un téléphone a ouvert le code. Saisissez le nombre que vous y voyez, pour que personne d’autre ne puisse prendre votre place.",
    number: "Nombre sur le téléphone",
    confirm: "Confirmer",
    notMine: "Ce n’est pas mon téléphone",
    reopened: "Un deuxième appareil a essayé d’ouvrir ce code. Ne confirmez qu’un nombre que vous voyez sur votre propre téléphone.",
    wrongNumber: "Le téléphone affichait un autre nombre et ne peut donc pas scanner. Affichez un nouveau code et réessayez.",
    connected: "Votre téléphone est connecté. Continuez dessus.",
    scanning: "Scan en cours sur votre téléphone…",
    interrupted: "Le scan a été interrompu. Continuez sur votre téléphone.",
    phoneTitle: "Scanner avec ce téléphone",
    phoneWarning: "Ne continuez que si vous avez ouvert le code vous-même, sur votre propre appareil. Si quelqu’un vous l’a envoyé ou montré, fermez cette page. Vous êtes sur {host}.",
    numberTitle: "Saisissez ce nombre sur votre autre appareil",
    numberText: "Le scan commence ici dès que vous y avez confirmé le nombre.",
    doneTitle: "Le scan est terminé",
    doneText: "Vous pouvez fermer cette page.",
    donePhone: "Continuez sur votre autre appareil. Vous pouvez fermer cette page.",
    returnNow: "Retour à {name}",
    returning: "Vous allez être redirigé vers {name} dans un instant.",
    again: "Réessayer",
    stopTitle: "Ce scan ne peut pas continuer",
    unknown: "Ce lien n’est pas valable. Ouvrez le dernier lien que vous avez reçu, ou demandez-en un nouveau à {name}.",
    used: "Ce lien a déjà été ouvert dans un autre navigateur. Continuez là-bas. Si ce n’était pas vous, prévenez {name}.",
    expired: "Le temps prévu pour ce scan est écoulé. Demandez un nouveau lien à {name}.",
    closed: "Cette vérification est close. Il n’y a plus rien à faire ici.",
    codeUnknown: "Ce code n’est plus valable. Affichez-en un nouveau sur votre autre appareil.",
    codeUsed: "Un autre appareil a déjà ouvert ce code. Affichez-en un nouveau sur votre autre appareil.",
    handedOver: "Un téléphone a déjà pris ce scan en charge. Si ce n’est pas le vôtre, demandez un nouveau lien à {name}.",
    tooMany: "Trop de codes ont été affichés. Scannez avec cet appareil, ou demandez un nouveau lien à {name}.",
  },
  es: {
    own: "Español",
    language: "Idioma",
    privacy: "Privacidad",
    imprint: "Aviso legal",
    help: "Ayuda",
    consent: "{name} quiere confirmar que es usted. La cámara graba su rostro durante unos segundos. El vídeo se compara con la imagen que {name} tiene de usted. Si continúa, lo acepta.",
    agree: "Aceptar y continuar",
    agreeAndStart: "Aceptar y empezar el escaneo",
    decline: "No acepto",
    declinedTitle: "No se hizo ningún escaneo",
    declinedText: "No ha aceptado, así que no se tomó ninguna imagen de usted. Puede cerrar esta página y pedir a {name} otra forma de hacerlo.",
    undo: "Volver al escaneo",
    usePhone: "Usar un teléfono",
    useThis: "Escanear con este dispositivo",
    noCamera: "No se encontró ninguna cámara en este dispositivo. Use su teléfono para el escaneo.",
    codeTitle: "Escanee este código con su teléfono",
    codeText: "Abra la cámara de su teléfono y apunte al código. Deje esta página abierta.",
    codePicture: "Código QR que abre el escaneo en un teléfono",
    waiting: "Esperando su teléfono…",
    lapsed: "Este código ya no se puede usar.",
    newCode: "Mostrar un código nuevo",
    askTitle: "¿Qué número muestra su teléfono?",
    askText: "Un teléfono ha abierto el código. Escriba el número que ve en él, para que nadie más pueda ocupar su lugar.",
    number: "Número en el teléfono",
    confirm: "Confirmar",
    notMine: "No es mi teléfono",
    reopened: "Un segundo dispositivo intentó abrir este código. Confirme solo un número que vea en su propio teléfono.",
    wrongNumber: "El teléfono mostraba otro número, así que no puede escanear. Muestre un código nuevo e inténtelo de nuevo.",
    connected: "Su teléfono está conectado. Continúe en él.",
    scanning: "Su teléfono está escaneando…",
    interrupted: "El escaneo se interrumpió. Continúe en su teléfono.",
    phoneTitle: "Escanear con este teléfono",
    phoneWarning: "Continúe solo si usted mismo abrió el código en su propio dispositivo. Si alguien se lo envió o mostró, cierre esta página. Está en {host}.",
    numberTitle: "Escriba este número en su otro dispositivo",
    numberText: "El escaneo empieza aquí en cuanto confirme el número allí.",
    doneTitle: "El escaneo ha terminado",
    doneText: "Puede cerrar esta página.",
    donePhone: "Continúe en su otro dispositivo. Puede cerrar esta página.",
    returnNow: "Volver a {name}",
    returning: "En un momento volverá a {name}.",
    again: "Intentar de nuevo",
    stopTitle: "Este escaneo no puede continuar",
    unknown: "Este enlace no es válido. Abra el último enlace que recibió o pida uno nuevo a {name}.",
    used: "Este enlace ya se abrió en otro navegador. Continúe allí. Si no fue usted, avise a {name}.",
    expired: "El tiempo para este escaneo ha terminado. Pida un enlace nuevo a {name}.",
    closed: "Esta comprobación está cerrada. Aquí no queda nada por hacer.",
    codeUnknown: "Este código ya no es válido. Muestre uno nuevo en su otro dispositivo.",
    codeUsed: "Otro dispositivo ya abrió este código. Muestre uno nuevo en su otro dispositivo.",
    handedOver: "Un teléfono ya tiene este escaneo. Si no es el suyo, pida un enlace nuevo a {name}.",
    tooMany: "Se han mostrado demasiados códigos. Escanee con este dispositivo o pida un enlace nuevo a {name}.",
  },
  pt: {
    own: "Português",
    language: "Língua",
    privacy: "Privacidade",
    imprint: "Informações legais",
    help: "Ajuda",
    consent: "{name} quer confirmar que é mesmo você. A câmera grava o seu rosto durante alguns segundos. O vídeo é comparado com a imagem que {name} tem de você. Ao continuar, você concorda com isso.",
    agree: "Concordar e continuar",
    agreeAndStart: "Concordar e começar a verificação",
    decline: "Não concordo",
    declinedTitle: "Nenhuma verificação foi feita",
    declinedText: "Você não concordou, então nenhuma imagem sua foi feita. Pode fechar esta página e pedir a {name} outra forma de fazer isso.",
    undo: "Voltar à verificação",
    usePhone: "Usar um telefone",
    useThis: "Escanear com este dispositivo",
    noCamera: "Nenhuma câmera foi encontrada neste dispositivo. Use o seu telefone para o escaneamento.",
    codeTitle: "Escaneie este código com o seu telefone",
    codeText: "Abra a câmera do seu telefone e aponte para o código. Deixe esta página aberta.",
    codePicture: "Código QR que abre o escaneamento em um telefone",
    waiting: "À espera do seu telefone…",
    lapsed: "Este código já não pode ser usado.",
    newCode: "Mostrar um novo código",
    askTitle: "Que número mostra o seu telefone?",
    askText: "Um telefone abriu o código. Digite o número que você vê nele, para que mais ninguém possa tomar o seu lugar.",
    number: "Número no telefone",
    confirm: "Confirmar",
    notMine: "Não é o meu telefone",
    reopened: "Um segundo dispositivo tentou abrir este código. Confirme apenas um número que você vê no seu próprio telefone.",
    wrongNumber: "O telefone mostrava outro número e por isso não pode escanear. Mostre um novo código e tente de novo.",
    connected: "O seu telefone está conectado. Continue nele.",
    scanning: "O seu telefone está escaneando…",
    interrupted: "O escaneamento foi interrompido. Continue no seu telefone.",
    phoneTitle: "Escanear com este telefone",
    phoneWarning: "Continue apenas se você mesmo abriu o código no seu próprio dispositivo. Se alguém o enviou ou mostrou a você, feche esta página. Você está em {host}.",
    numberTitle: "Digite este número no seu outro dispositivo",
    numberText: "O escaneamento começa aqui assim que você confirmar o número lá.",
    doneTitle: "O escaneamento está concluído",
    doneText: "Você pode fechar esta página.",
    donePhone: "Continue no seu outro dispositivo. Você pode fechar esta página.",
    returnNow: "Voltar para {name}",
    returning: "Você voltará para {name} em instantes.",
    again: "Tentar de novo",
    stopTitle: "Este escaneamento não pode continuar",
    unknown: "Este link não é válido. Abra o último link que você recebeu ou peça um novo a {name}.",
    used: "Este link já foi aberto em outro navegador. Continue lá. Se não foi você, avise {name}.",
    expired: "O tempo para este escaneamento acabou. Peça um novo link a {name}.",
    closed: "Esta verificação está encerrada. Não há mais nada a fazer aqui.",
    codeUnknown: "Este código já não é válido. Mostre um novo no seu outro dispositivo.",
    codeUsed: "Outro dispositivo já abriu este código. Mostre um novo no seu outro dispositivo.",
    handedOver: "Um celular já recebeu este escaneamento. Se não for o seu, peça um novo link a {name}.",
    tooMany: "Foram mostrados códigos demais. Escaneie com este dispositivo ou peça um novo link a {name}.",
  },
  hi: {
    own: "हिन्दी",
    language: "भाषा",
    privacy: "गोपनीयता",
    imprint: "कानूनी जानकारी",
    help: "सहायता",
    consent: "{name} यह पक्का करना चाहता है कि यह आप ही हैं। आपका कैमरा कुछ सेकंड तक आपके चेहरे का वीडियो लेता है। उसकी तुलना उस तस्वीर से की जाती है जो {name} के पास है। आगे बढ़कर आप इससे सहमत होते हैं।",
    agree: "सहमत हूँ, आगे बढ़ें",
    agreeAndStart: "सहमत हूँ, स्कैन शुरू करें",
    decline: "मैं सहमत नहीं हूँ",
    declinedTitle: "कोई स्कैन नहीं हुआ",
    declinedText: "आप सहमत नहीं हुए, इसलिए आपकी कोई तस्वीर नहीं ली गई। आप यह पेज बंद कर सकते हैं और {name} से कोई दूसरा तरीका पूछ सकते हैं।",
    undo: "स्कैन पर वापस जाएँ",
    usePhone: "इसकी जगह फ़ोन इस्तेमाल करें",
    useThis: "इसी डिवाइस से स्कैन करें",
    noCamera: "इस डिवाइस पर कोई कैमरा नहीं मिला। स्कैन के लिए अपना फ़ोन इस्तेमाल करें।",
    codeTitle: "इस कोड को अपने फ़ोन से स्कैन करें",
    codeText: "अपने फ़ोन का कैमरा खोलें और कोड की ओर करें। यह पेज खुला रखें।",
    codePicture: "QR कोड, जो फ़ोन पर स्कैन खोलता है",
    waiting: "आपके फ़ोन का इंतज़ार है…",
    lapsed: "यह कोड अब इस्तेमाल नहीं हो सकता।",
    newCode: "नया कोड दिखाएँ",
    askTitle: "आपके फ़ोन पर कौन-सी संख्या दिख रही है?",
    askText: "एक फ़ोन ने कोड खोला है। उस पर दिख रही संख्या लिखें, ताकि कोई और आपकी जगह न ले सके।",
    number: "फ़ोन पर दिख रही संख्या",
    confirm: "पुष्टि करें",
    notMine: "यह मेरा फ़ोन नहीं है",
    reopened: "किसी दूसरे डिवाइस ने यह कोड खोलने की कोशिश की। केवल वही संख्या लिखें जो आपको अपने फ़ोन पर दिख रही है।",
    wrongNumber: "फ़ोन पर दूसरी संख्या थी, इसलिए वह स्कैन नहीं कर सकता। नया कोड दिखाएँ और फिर से कोशिश करें।",
    connected: "आपका फ़ोन जुड़ गया है। अब फ़ोन पर आगे बढ़ें।",
    scanning: "आपका फ़ोन स्कैन कर रहा है…",
    interrupted: "स्कैन रुक गया। अपने फ़ोन पर आगे बढ़ें।",
    phoneTitle: "इस फ़ोन से स्कैन करें",
    phoneWarning: "तभी आगे बढ़ें जब आपने ख़ुद अपने डिवाइस पर यह कोड खोला हो। अगर किसी ने इसे आपको भेजा या दिखाया है, तो यह पेज बंद कर दें। आप {host} पर हैं।",
    numberTitle: "यह संख्या अपने दूसरे डिवाइस पर लिखें",
    numberText: "वहाँ संख्या की पुष्टि होते ही स्कैन यहाँ शुरू होगा।",
    doneTitle: "स्कैन पूरा हुआ",
    doneText: "आप यह पेज बंद कर सकते हैं।",
    donePhone: "अपने दूसरे डिवाइस पर आगे बढ़ें। आप यह पेज बंद कर सकते हैं।",
    returnNow: "{name} पर वापस जाएँ",
    returning: "आपको अभी {name} पर वापस ले जाया जाएगा।",
    again: "फिर से कोशिश करें",
    stopTitle: "यह स्कैन आगे नहीं बढ़ सकता",
    unknown: "यह लिंक मान्य नहीं है। आपको मिला सबसे नया लिंक खोलें, या {name} से नया लिंक माँगें।",
    used: "यह लिंक पहले किसी दूसरे ब्राउज़र में खोला जा चुका है। वहीं आगे बढ़ें। अगर वह आप नहीं थे, तो {name} को बताएँ।",
    expired: "इस स्कैन का समय ख़त्म हो गया है। {name} से नया लिंक माँगें।",
    closed: "यह जाँच बंद हो चुकी है। यहाँ अब कुछ करना बाकी नहीं है।",
    codeUnknown: "यह कोड अब मान्य नहीं है। अपने दूसरे डिवाइस पर नया कोड दिखाएँ।",
    codeUsed: "किसी दूसरे डिवाइस ने यह कोड पहले ही खोल लिया है। अपने दूसरे डिवाइस पर नया कोड दिखाएँ।",
    handedOver: "यह स्कैन पहले ही किसी फ़ोन को मिल चुका है। अगर वह आपका नहीं है, तो {name} से नया लिंक माँगें।",
    tooMany: "बहुत ज़्यादा कोड दिखाए गए। इसी डिवाइस से स्कैन करें, या {name} से नया लिंक माँगें।",
  },
  ar: {
    own: "العربية",
    language: "اللغة",
    privacy: "الخصوصية",
    imprint: "إشعار قانوني",
    help: "مساعدة",
    consent: "يريد {name} التأكد من أنك أنت. تصوّر الكاميرا وجهك لبضع ثوانٍ، ثم يُقارن الفيديو بالصورة التي لدى {name}. بمتابعتك فإنك توافق على ذلك.",
    agree: "أوافق وأتابع",
    agreeAndStart: "أوافق وأبدأ المسح",
    decline: "لا أوافق",
    declinedTitle: "لم يُجرَ أي مسح",
    declinedText: "لم توافق، لذلك لم تُلتقط لك أي صورة. يمكنك إغلاق هذه الصفحة وأن تطلب من {name} طريقة أخرى.",
    undo: "العودة إلى المسح",
    usePhone: "استخدام هاتف بدلًا من ذلك",
    useThis: "المسح بهذا الجهاز",
    noCamera: "لم يُعثر على كاميرا في هذا الجهاز. استخدم هاتفك للمسح.",
    codeTitle: "امسح هذا الرمز بهاتفك",
    codeText: "افتح كاميرا هاتفك ووجّهها إلى الرمز. أبقِ هذه الصفحة مفتوحة.",
    codePicture: "رمز QR يفتح المسح على هاتف",
    waiting: "في انتظار هاتفك…",
    lapsed: "لم يعد بالإمكان استخدام هذا الرمز.",
    newCode: "عرض رمز جديد",
    askTitle: "ما الرقم الذي يظهر على هاتفك؟",
    askText: "فتح هاتفٌ الرمز. أدخل الرقم الذي تراه عليه حتى لا يتمكن أحد غيرك من أخذ مكانك.",
    number: "الرقم الظاهر على الهاتف",
    confirm: "تأكيد",
    notMine: "هذا ليس هاتفي",
    reopened: "حاول جهاز ثانٍ فتح هذا الرمز. لا تؤكد إلا رقمًا تراه على هاتفك أنت.",
    wrongNumber: "كان الهاتف يعرض رقمًا آخر، لذلك لا يُسمح له بالمسح. اعرض رمزًا جديدًا وحاول مرة أخرى.",
    connected: "هاتفك متصل. تابع عليه.",
    scanning: "هاتفك يجري المسح…",
    interrupted: "انقطع المسح. تابع على هاتفك.",
    phoneTitle: "المسح بهذا الهاتف",
    phoneWarning: "لا تتابع إلا إذا فتحت الرمز بنفسك على جهازك. إذا أرسله إليك أو عرضه عليك شخص آخر فأغلق هذه الصفحة. أنت على {host}.",
    numberTitle: "أدخل هذا الرقم على جهازك الآخر",
    numberText: "يبدأ المسح هنا فور تأكيدك الرقم هناك.",
    doneTitle: "اكتمل المسح",
    doneText: "يمكنك إغلاق هذه الصفحة.",
    donePhone: "تابع على جهازك الآخر. يمكنك إغلاق هذه الصفحة.",
    returnNow: "العودة إلى {name}",
    returning: "ستعود إلى {name} بعد لحظات.",
    again: "حاول مرة أخرى",
    stopTitle: "لا يمكن متابعة هذا المسح",
    unknown: "هذا الرابط غير صالح. افتح أحدث رابط وصلك، أو اطلب رابطًا جديدًا من {name}.",
    used: "فُتح هذا الرابط من قبل في متصفح آخر. تابع هناك. إذا لم تكن أنت من فتحه فأخبر {name}.",
    expired: "انتهى وقت هذا المسح. اطلب رابطًا جديدًا من {name}.",
    closed: "أُغلق هذا التحقق. لم يبقَ ما تفعله هنا.",
    codeUnknown: "لم يعد هذا الرمز صالحًا. اعرض رمزًا جديدًا على جهازك الآخر.",
    codeUsed: "فتح جهازٌ آخر هذا الرمز من قبل. اعرض رمزًا جديدًا على جهازك الآخر.",
    handedOver: "تسلّم هاتفٌ هذا المسح من قبل. إن لم يكن هاتفك، فاطلب رابطًا جديدًا من {name}.",
    tooMany: "عُرضت رموز كثيرة جدًا. امسح بهذا الجهاز، أو اطلب رابطًا جديدًا من {name}.",
  },
};

const RIGHT_TO_LEFT = new Set(["ar"]);
let current = "en";

/** Takes the first of the wanted languages that there is; returns it. */
export function setLanguage(wanted: readonly string[]): string {
  current = languageFor(wanted);
  if (globalThis.document !== undefined) {
    document.documentElement.lang = current;
    document.documentElement.dir = RIGHT_TO_LEFT.has(current) ? "rtl" : "ltr";
  }
  return current;
}

export function language(): string {
  return current;
}

/** A text, with its values in place. From right to left they are isolated: the sentence leaves the order of their signs. */
export function t(key: keyof Texts, values: Record<string, string> = {}): string {
  const texts = TEXTS[current] as Texts;
  const [before, after] = RIGHT_TO_LEFT.has(current) ? ["\u2068", "\u2069"] : ["", ""];
  return texts[key].replaceAll(/\{(\w+)\}/g, (whole, name: string) =>
    name in values ? `${before}${values[name]}${after}` : whole,
  );
}

/** The texts of the capture screen. */
export function scanStrings(): Strings {
  return LANGUAGES[current] as Strings;
}
