/** Defines `<facegate-scan>`. */
import { FacegateScan } from "./element/facegate_scan.js";

if (customElements.get("facegate-scan") === undefined) customElements.define("facegate-scan", FacegateScan);

export * from "./index.js";
export { FacegateScan };

declare global {
  interface HTMLElementTagNameMap {
    "facegate-scan": FacegateScan;
  }
}
