/** A kept image on a canvas, with the viewer and the time across it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { callForBytes } from "../api.js";
import { bare, degreesOf, timeText, written } from "../logic/format.js";
import { language, t, word } from "../texts/index.js";
import type { ImageFacts } from "../types.js";
import { useConsole } from "./hooks.js";
import { Busy, Problem } from "./ui.js";

const SHOWN = new Set(["image/jpeg", "image/png"]);
const LONGEST_SIDE = 900;

/** @param seen Called once the image was read, which is an entry of the audit log, or is not shown. */
export function Picture({ checkId, facts, purpose, seen = () => {} }: { checkId: string; facts: ImageFacts; purpose: string; seen?: () => void }) {
  const { session } = useConsole();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [state, setState] = useState<"loading" | "shown" | { error: unknown }>("loading");
  const shown = SHOWN.has(facts.mediaType ?? "");
  const name = word("image", bare(facts.purpose, "PURPOSE_"));
  useEffect(() => {
    if (!shown) return seen();
    let stale = false;
    const draw = async () => {
      const bytes = await callForBytes("GetEvidenceImage", { checkId, sha256: facts.sha256, purpose });
      const bitmap = await createImageBitmap(bytes, { imageOrientation: "none" });
      if (!stale && canvas.current !== null) paint(canvas.current, bitmap, facts, `${written(session.name)} · ${timeText(new Date().toISOString(), language())}`);
      bitmap.close();
    };
    draw()
      .then(
        () => stale || setState("shown"),
        (error: unknown) => stale || setState({ error }),
      )
      .then(() => stale || seen());
    return () => {
      stale = true;
    };
  }, []);
  return (
    <figure class="picture">
      {!shown && <p class="instead">{t("image.otherType", { type: facts.mediaType ?? "?" })}</p>}
      {shown && state === "loading" && <Busy />}
      {typeof state === "object" && <Problem error={state.error} />}
      {shown && (
        <canvas
          ref={canvas}
          class={state === "shown" ? "" : "hidden"}
          role="img"
          aria-label={name}
          draggable={false}
          onContextMenu={(event) => event.preventDefault()}
          onDragStart={(event) => event.preventDefault()}
        />
      )}
      <figcaption>
        {name}
        {facts.attempt ? `, ${t("image.where", { attempt: facts.attempt, frame: facts.frameIndex ?? 0 })}` : ""}
      </figcaption>
    </figure>
  );
}

/** Draws an image upright, at most 900 pixels long, and the mark across all of it. */
function paint(canvas: HTMLCanvasElement, bitmap: ImageBitmap, facts: ImageFacts, mark: string): void {
  const degrees = degreesOf(facts.rotation);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
  const turned = degrees === 90 || degrees === 270;
  [canvas.width, canvas.height] = turned ? [height, width] : [width, height];
  const context = canvas.getContext("2d")!;
  context.save();
  context.translate(canvas.width / 2, canvas.height / 2);
  if (facts.mirrored) context.scale(-1, 1);
  context.rotate((degrees * Math.PI) / 180);
  context.drawImage(bitmap, -width / 2, -height / 2, width, height);
  context.restore();
  const size = Math.max(12, Math.round(Math.min(canvas.width, canvas.height) / 24));
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.lineWidth = 2;
  const long = context.measureText(mark).width + 3 * size;
  const reach = Math.hypot(canvas.width, canvas.height);
  context.translate(canvas.width / 2, canvas.height / 2);
  context.rotate(-Math.PI / 7);
  for (let y = -reach / 2, row = 0; y < reach / 2; y += 6 * size, row += 1) {
    for (let x = -reach / 2 - (row % 2) * (long / 2); x < reach / 2; x += long) {
      context.strokeStyle = "rgb(0 0 0 / 40%)";
      context.strokeText(mark, x, y);
      context.fillStyle = "rgb(255 255 255 / 65%)";
      context.fillText(mark, x, y);
    }
  }
}
