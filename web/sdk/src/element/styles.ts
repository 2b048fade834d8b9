/** The style of the capture screen. Embedders restyle it by custom properties and by `::part`. */
export const STYLES = `
:host {
  --facegate-accent: light-dark(#0b5cad, #2a74c9);
  --facegate-surface: light-dark(#ffffff, #1b2733);
  --facegate-text: light-dark(#14202b, #eef3f8);
  --facegate-good: #1d7a3e;
  display: block;
  font-family: system-ui, "Noto Sans", "Noto Sans Devanagari", "Noto Sans Arabic", sans-serif;
  line-height: 1.5;
  color: var(--facegate-text);
}
[hidden] { display: none !important; }
h2, p, ul { margin: 0; }
h2 { font-size: 1.375rem; line-height: 1.3; }
.card, .panel { display: grid; gap: 1rem; justify-items: start; max-width: 34rem; }
.card { padding: 1.5rem; border-radius: 1rem; background: var(--facegate-surface); }
.buttons { display: flex; flex-wrap: wrap; gap: 0.75rem; }
button {
  min-height: 3rem; padding: 0 1.5rem; border: 2px solid var(--facegate-accent); border-radius: 1.5rem;
  background: var(--facegate-surface); font: inherit;
  color: light-dark(var(--facegate-accent), var(--facegate-text)); font-weight: 600; cursor: pointer;
}
button.primary { background: var(--facegate-accent); color: #ffffff; }
button:focus-visible { outline: 3px solid var(--facegate-text); outline-offset: 3px; }
h2:focus, dialog:focus { outline: none; } /* Only scripts focus them: screen readers speak a title. */
.preview { display: flex; flex-wrap: wrap; gap: 0.75rem 1.25rem; align-items: center; }
.preview p { flex: 1 1 14rem; }
.picture { display: flex; gap: 0.5rem; }
.picture svg { width: 3.5rem; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.picture .frame { stroke-opacity: 0.55; }
.picture .oval { stroke-dasharray: 0.035; stroke-opacity: 0.7; }
.picture .colours { stroke: none; fill-opacity: 0.75; clip-path: inset(0 round 8px); }
.red { fill: #e07a6e; } .green { fill: #7cc28d; } .blue { fill: #7fa6e3; }
.picture .face ellipse { fill: var(--facegate-surface); }
.picture .full, .picture .tick { stroke: light-dark(var(--facegate-good), #6fd394); stroke-width: 4; }
.picture .full { stroke-dasharray: 1; }
.notice {
  display: grid; gap: 0.75rem; justify-self: stretch; padding: 0.75rem 1rem; border-radius: 0.5rem;
  border-inline-start: 4px solid light-dark(#a86a00, #f0c878); background: light-dark(#fbf1dc, #34280f); color: light-dark(#4d3200, #f0c878);
}
.notice label { display: flex; gap: 0.75rem; align-items: center; min-height: 2.5rem; font-weight: 600; cursor: pointer; }
.notice input { flex: none; width: 1.5rem; height: 1.5rem; margin: 0; accent-color: var(--facegate-accent); color-scheme: light; }
.notice input:focus-visible { outline: 3px solid var(--facegate-text); outline-offset: 3px; }
@media (max-width: 480px) { .card { padding: 1.125rem; gap: 0.75rem; } .notice { padding: 0.625rem 0.75rem; gap: 0.25rem; } .preview { gap: 0.5rem; } }
/* Once, and in less than three seconds. */
@media (prefers-reduced-motion: no-preference) {
  .picture svg { animation: appear 0.6s ease-out backwards; }
  .picture svg:nth-child(2) { animation-delay: 0.9s; }
  .picture svg:nth-child(3) { animation-delay: 1.4s; }
  .coming { transform-origin: 32px 42px; animation: come 1s 0.3s ease-out backwards; }
  .picture .full { animation: fill 0.9s 1.7s ease-in-out backwards; }
  .picture .tick { animation: appear 0.3s 2.5s ease-out backwards; }
}
@keyframes appear { from { opacity: 0; } }
@keyframes come { from { transform: scale(0.5); } }
@keyframes fill { from { stroke-dashoffset: 1; } }
dialog {
  position: fixed; inset: 0; width: 100vw; height: 100vh; height: 100dvh; max-width: none; max-height: none;
  margin: 0; padding: 0; border: 0; overflow: hidden; background: var(--facegate-surface); color: var(--facegate-text);
  color-scheme: light; /* It lights up the face. */
}
.colour { position: absolute; inset: 0; will-change: transform; }
.stage {
  --ratio: 1.3333; position: absolute; inset: 0; margin: auto; aspect-ratio: var(--ratio);
  width: min(100vw, 100vh * var(--ratio)); width: min(100vw, 100dvh * var(--ratio));
  transform: scaleX(-1); z-index: 2;
}
video { display: block; width: 100%; height: 100%; transition: clip-path var(--move, 0.3s) ease-in-out; }
.stage svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.stage ellipse { fill: none; stroke-width: 4; vector-effect: non-scaling-stroke; }
.track { stroke: #8796a5; }
.done { stroke: var(--facegate-good); stroke-width: 7; stroke-linecap: round; }
.track, .done { transition: cx var(--move, 0.3s), cy var(--move, 0.3s), rx var(--move, 0.3s), ry var(--move, 0.3s); }
.flash video { opacity: 0.3; }
.flash .track { stroke: #14202b; }
.top {
  position: absolute; inset: 0 0 auto 0; z-index: 3; padding: max(1rem, env(safe-area-inset-top)) 1rem 0;
  display: grid; justify-items: center;
}
.hint {
  padding: 0.625rem 1.25rem; border-radius: 1.5rem; background: #14202b; color: #ffffff; font-size: 1.25rem;
  font-weight: 600; text-align: center; text-wrap: balance;
}
.bottom {
  position: absolute; inset: auto 0 0 0; z-index: 3; padding: 0 1rem max(1rem, env(safe-area-inset-bottom));
  display: flex; flex-wrap: wrap; justify-content: center; gap: 0.75rem;
}
/* It leaves room for the buttons of the screen; what does not fit is scrolled, and its own button stays in view. */
.panel {
  --below: calc(3.5rem + max(1rem, env(safe-area-inset-bottom)));
  position: absolute; inset: 0.5rem 0 var(--below); z-index: 4; margin: auto; height: fit-content;
  max-height: calc(100% - 0.5rem - var(--below)); width: min(34rem, 100vw - 2rem); box-sizing: border-box;
  padding: 1.5rem; overflow-y: auto; border-radius: 1rem; background: var(--facegate-surface);
  box-shadow: 0 0.5rem 2.5rem rgb(20 32 43 / 0.35);
}
.panel .buttons {
  position: sticky; bottom: -1.5rem; width: 100%; margin-bottom: -1.5rem; padding-block: 0.5rem 1.5rem;
  background: inherit;
}
.spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
/* On a low screen the text stands above the oval in one small line, or, if there is room, beside it. */
@media (max-height: 560px) {
  .top { padding-top: 0.5rem; }
  .hint { padding: 0.25rem 1rem; font-size: 1rem; }
}
@media (max-height: 560px) and (min-aspect-ratio: 3/2) {
  .top, .bottom { width: calc((100vw - 80vh) / 2); box-sizing: border-box; padding-inline: 0.5rem; }
  .top { inset: 0 auto auto 0; }
  .bottom { inset: auto 0 0 auto; }
}
@media (prefers-reduced-motion: reduce) { video, .track, .done { transition: none; } }
`;
