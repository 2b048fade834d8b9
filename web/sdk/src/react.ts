"use client";
/** `<FaceScanner>` for React: the element `<facegate-scan>` with properties in place of events. */
import {
  createElement,
  type CSSProperties,
  forwardRef,
  type ForwardRefExoticComponent,
  type RefAttributes,
  useEffect,
  useImperativeHandle,
  useRef,
  useState,
} from "react";
import type { Attestor, ScanOutcome, ScanTicket } from "./index.js";
import type { FacegateScan } from "./element/facegate_scan.js";
import "./element.js";

/** The properties of `FaceScanner`. */
export interface FaceScannerProps {
  /** The server's web listener, such as `wss://scan.example.com:8446`. */
  server: string;
  /** Gets the ticket of a new check from your backend. */
  getTicket: () => Promise<ScanTicket>;
  /** Offers the screen's colours. */
  flash?: boolean;
  /** BCP 47 language; by default that of the page. */
  lang?: string;
  id?: string;
  className?: string;
  style?: CSSProperties;
  /** The evidence of the platform; by default a key of WebCrypto. */
  attestors?: readonly Attestor[];
  onFinished?: (outcome: ScanOutcome) => void;
  /** A `FacegateError`, or what `getTicket` threw. After an unmount during a scan it is a `CancelledError`. */
  onFailed?: (error: Error) => void;
}

/** The capture screen. `ref` is the element, whose `cancel()` ends the scan. */
export const FaceScanner: ForwardRefExoticComponent<FaceScannerProps & RefAttributes<FacegateScan>> = forwardRef<
  FacegateScan,
  FaceScannerProps
>(function FaceScanner(props, ref) {
  const { server, getTicket, flash = false, attestors, lang, id, className, style } = props;
  const element = useRef<FacegateScan>(null);
  const latest = useRef(props);
  const [listeners] = useState(() => ({
    "facegate-finished": (event: Event) => latest.current.onFinished?.((event as CustomEvent<ScanOutcome>).detail),
    "facegate-failed": (event: Event) => latest.current.onFailed?.((event as CustomEvent<Error>).detail),
  }));
  useImperativeHandle(ref, () => element.current as FacegateScan, []);
  useEffect(() => {
    latest.current = props;
    if (element.current === null) return;
    element.current.getTicket = getTicket;
    element.current.attestors = attestors;
  });
  useEffect(() => {
    // They stay: an unmount cancels a running scan, which is reported afterwards.
    for (const [name, listener] of Object.entries(listeners)) element.current?.addEventListener(name, listener);
  }, [listeners]);
  return createElement("facegate-scan", {
    ref: element,
    server,
    // The element sets its own direction, which a server that renders pages does not know.
    suppressHydrationWarning: true,
    ...(flash ? { flash: "" } : {}),
    ...(lang === undefined ? {} : { lang }),
    ...(id === undefined ? {} : { id }),
    ...(className === undefined ? {} : { class: className }),
    ...(style === undefined ? {} : { style }),
  });
});
