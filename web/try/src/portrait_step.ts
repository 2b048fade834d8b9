/** Step 1: the portrait, from the camera or a file. */
import { api, type Portrait } from "./api.js";
import { button, make } from "./dom.js";
import { icon } from "./icons.js";
import { problem, words } from "./problem.js";

const LONGEST_SIDE = 1600;
/** A trusted image may have 2,000,000 bytes; the record around it needs some. */
const MOST_BYTES = 1_900_000;
const KEPT = new Set(["image/jpeg", "image/png"]);
const ACCEPTED = ".jpg,.jpeg,.png,.webp,.avif,.gif,.bmp,.jp2,.fac,.der,.dg2,.bin";

/** A portrait that the server accepted, and its picture. */
export interface Chosen {
  report: Portrait;
  /** Address of the picture; undefined for files that the browser cannot show, such as records. */
  picture: string | undefined;
}

/** Shows the step. Calls `done` when the person goes on. */
export function showPortraitStep(sheet: HTMLElement, before: Chosen | undefined, done: (chosen: Chosen) => void): () => void {
  const stage = make("div", { class: "stage" });
  const answer = make("div", { class: "answer", "aria-live": "polite" });
  const actions = make("div", { class: "actions" });
  let stream: MediaStream | undefined;
  const stop = (): void => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = undefined;
  };

  const input = make("input", { type: "file", accept: ACCEPTED, id: "portrait-file", class: "spoken" });
  input.addEventListener("change", () => {
    const [file] = input.files ?? [];
    if (file !== undefined) void useFile(file);
    input.value = "";
  });
  const choose = make("label", { for: "portrait-file", class: "button" }, icon("file"), "Choose a file");

  const showEmpty = (): void => {
    stage.replaceChildren(
      make("div", { class: "empty" }, icon("camera"), make("p", {}, "A passport photo, a selfie or a facial record. You can also drop a file here.")),
    );
    actions.replaceChildren(button("Use the camera", () => void openCamera(), "primary", icon("camera")), input, choose);
  };

  const openCamera = async (): Promise<void> => {
    answer.replaceChildren();
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 960 } },
      });
    } catch (error) {
      const denied = error instanceof DOMException && error.name === "NotAllowedError";
      answer.replaceChildren(
        problem(denied ? "This page may not use the camera. Allow it in the browser, or choose a file." : "No camera could be opened. Choose a file."),
      );
      return;
    }
    const video = make("video", { class: "mirrored", playsinline: true, "aria-label": "Your camera" });
    video.muted = true;
    video.srcObject = stream;
    stage.replaceChildren(video, make("div", { class: "oval", "aria-hidden": "true" }));
    const take = button("Take the photo", () => void takePhoto(video), "primary", icon("camera"));
    actions.replaceChildren(take, button("Cancel", () => { stop(); showEmpty(); }));
    take.focus();
    await video.play();
  };

  const takePhoto = async (video: HTMLVideoElement): Promise<void> => {
    const photo = await jpegOf(video, video.videoWidth, video.videoHeight);
    stop();
    await examine(photo, URL.createObjectURL(photo));
  };

  const useFile = async (file: File): Promise<void> => {
    stop();
    const bitmap = await createImageBitmap(file).catch(() => undefined);
    if (bitmap === undefined) {
      await examine(file, undefined);
      return;
    }
    const kept = KEPT.has(file.type) && file.size <= MOST_BYTES;
    const photo = kept ? file : await jpegOf(bitmap, bitmap.width, bitmap.height);
    await examine(photo, URL.createObjectURL(photo));
  };

  const examine = async (photo: Blob, picture: string | undefined): Promise<void> => {
    showPicture(stage, picture, "busy");
    actions.replaceChildren();
    answer.replaceChildren(make("p", { class: "working" }, "The server examines the portrait…"));
    try {
      showAccepted({ report: await api.examine(photo), picture }, true);
    } catch (error) {
      showPicture(stage, picture, "refused");
      answer.replaceChildren(problem(error));
      actions.replaceChildren(button("Use the camera", () => void openCamera(), "primary", icon("camera")), input, choose);
    }
  };

  const showAccepted = (chosen: Chosen, focus: boolean): void => {
    showPicture(stage, chosen.picture, "accepted");
    answer.replaceChildren(...findings(chosen.report));
    const next = button("Continue", () => done(chosen), "primary");
    actions.replaceChildren(next, button("Another portrait", () => { answer.replaceChildren(); showEmpty(); }));
    if (focus) next.focus();
  };

  stage.addEventListener("dragover", (event) => event.preventDefault());
  stage.addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer?.files ?? [];
    if (file !== undefined) void useFile(file);
  });

  sheet.replaceChildren(
    make(
      "div",
      { class: "split" },
      stage,
      make(
        "div",
        { class: "side" },
        make("h2", { tabindex: "-1" }, "Who should it be?"),
        make("p", {}, "The portrait is what your backend would upload: the photo of an identity document, or of an earlier enrolment. It becomes an ISO/IEC 19794-5 record."),
        answer,
        actions,
      ),
    ),
  );
  if (before === undefined) showEmpty();
  else showAccepted(before, false);
  return stop;
}

function showPicture(stage: HTMLElement, picture: string | undefined, state: "busy" | "accepted" | "refused"): void {
  const shown =
    picture === undefined
      ? make("div", { class: "empty" }, icon("document"), make("p", {}, "A facial record"))
      : make("img", { src: picture, alt: "The portrait" });
  stage.replaceChildren(shown, make("div", { class: `overlay ${state}`, "aria-hidden": "true" }, state !== "busy" && icon(state === "accepted" ? "check" : "cross")));
}

function findings(report: Portrait): HTMLElement[] {
  const { eye_distance, met, assessed, findings: unmet, container, notes } = report;
  return [
    make("p", { class: "good-line" }, icon("check"), `Accepted: the eyes are ${Math.round(eye_distance)} pixels apart, ${met} of ${assessed} requirements are met.`),
    make(
      "details",
      {},
      make("summary", {}, unmet.length > 0 ? `How it could be better (${unmet.length})` : "What was examined"),
      make(
        "ul",
        { class: "plain" },
        ...unmet.map((one) =>
          make("li", {}, make("strong", {}, words(one.code)), `: ${one.remedy || "A better image would meet this."} `, make("span", { class: "soft" }, `Measured: ${one.measured}. Required: ${one.required}.`)),
        ),
        make("li", { class: "soft" }, `Sent as ${container || "a picture"}, ${report.width} × ${report.height} pixels.`),
        ...notes.map((text) => make("li", { class: "soft" }, text)),
      ),
    ),
  ];
}

function jpegOf(source: HTMLVideoElement | ImageBitmap, width: number, height: number): Promise<Blob> {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  const canvas = make("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
  canvas.getContext("2d")?.drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob === null ? reject(new Error("the picture is empty")) : resolve(blob)), "image/jpeg", 0.93);
  });
}
