/** Defines `<facegate-scan>` where there are elements: a server that renders pages may import this too. */
import { FacegateScan } from "./element/facegate_scan.js";

if (globalThis.customElements !== undefined && customElements.get("facegate-scan") === undefined)
  customElements.define("facegate-scan", FacegateScan);

export * from "./index.js";
export { FacegateScan };

declare global {
  interface HTMLElementTagNameMap {
    "facegate-scan": FacegateScan;
  }
}
