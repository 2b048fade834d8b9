"use client";
/** `<FaceScanner>` for React: the element `<facegate-scan>` with properties in place of events. */
import { createElement, type ReactElement, useEffect, useRef } from "react";
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
  className?: string;
  /** The evidence of the platform; by default a key of WebCrypto. */
  attestors?: readonly Attestor[];
  onFinished?: (outcome: ScanOutcome) => void;
  /** A `FacegateError`, or what `getTicket` threw. */
  onFailed?: (error: Error) => void;
}

/** The capture screen. */
export function FaceScanner(props: FaceScannerProps): ReactElement {
  const { server, getTicket, flash = false, lang, className } = props;
  const element = useRef<FacegateScan>(null);
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
    if (element.current === null) return;
    element.current.getTicket = getTicket;
    element.current.attestors = props.attestors;
  });
  useEffect(() => {
    const { current } = element;
    const finished = (event: Event): void => latest.current.onFinished?.((event as CustomEvent<ScanOutcome>).detail);
    const failed = (event: Event): void => latest.current.onFailed?.((event as CustomEvent<Error>).detail);
    current?.addEventListener("facegate-finished", finished);
    current?.addEventListener("facegate-failed", failed);
    return () => {
      current?.removeEventListener("facegate-finished", finished);
      current?.removeEventListener("facegate-failed", failed);
    };
  }, []);
  return createElement("facegate-scan", {
    ref: element,
    server,
    // The element sets its own direction, which a server that renders pages does not know.
    suppressHydrationWarning: true,
    ...(flash ? { flash: "" } : {}),
    ...(lang === undefined ? {} : { lang }),
    ...(className === undefined ? {} : { class: className }),
  });
}
