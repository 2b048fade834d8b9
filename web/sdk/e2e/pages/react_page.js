import { createElement, createRef, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { FaceScanner } from "../../dist/react.js";

const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

/** Waits until the camera runs, then calls `cancel` of the element, or unmounts it. Returns the errors that the page got. */
window.scanAndLeave = async (leaves) => {
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  const ref = createRef();
  const errors = [];
  const scanner = createElement(FaceScanner, {
    ref,
    id: "scanner",
    className: "wide",
    style: { maxWidth: "30rem" },
    server: "ws://127.0.0.1:9",
    getTicket: async () => ({ token: "token", challengeKeySha256: new Uint8Array(32) }),
    onFailed: (error) => errors.push(error.name),
  });
  root.render(createElement(StrictMode, null, scanner));
  while (ref.current === null) await turn();
  const element = ref.current;
  const { id, className, style } = element;
  element.shadowRoot.querySelector(".card button").click();
  while (element.shadowRoot.querySelector("video").srcObject === null) await turn();
  if (leaves === "cancel") element.cancel();
  else root.unmount();
  while (errors.length === 0) await turn();
  await new Promise((resolve) => setTimeout(resolve, 200));
  return { errors, id, className, maxWidth: style.maxWidth, mounted: element.isConnected, released: ref.current === null };
};
