/** What the pages share of state, keyboard and session. */
import { createContext } from "preact";
import { useCallback, useContext, useEffect, useRef, useState } from "preact/hooks";
import type { Scope, Session } from "../types.js";

export interface Console {
  session: Session;
  can(scope: Scope): boolean;
}

export const ConsoleContext = createContext<Console | null>(null);

export function useConsole(): Console {
  return useContext(ConsoleContext)!;
}

export interface Loaded<T> {
  value: T | null;
  error: unknown;
  busy: boolean;
  reload(): void;
}

/** Loads a value when the page is shown and when one of the keys changes; an answer that comes too late is dropped. */
export function useLoad<T>(load: () => Promise<T>, keys: readonly unknown[]): Loaded<T> {
  const [state, setState] = useState<{ value: T | null; error: unknown; busy: boolean }>({ value: null, error: null, busy: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let stale = false;
    setState((before) => ({ ...before, error: null, busy: true }));
    load().then(
      (value) => stale || setState({ value, error: null, busy: false }),
      (error: unknown) => stale || setState({ value: null, error, busy: false }),
    );
    return () => {
      stale = true;
    };
  }, [...keys, round]);
  return { ...state, reload: useCallback(() => setRound((before) => before + 1), []) };
}

export interface Task<Arguments extends unknown[]> {
  busy: boolean;
  error: unknown;
  /** Runs it once at a time; returns whether it succeeded. */
  run(...given: Arguments): Promise<boolean>;
  clear(): void;
}

/** An action of the person: its progress and its error. */
export function useTask<Arguments extends unknown[]>(action: (...given: Arguments) => Promise<void>): Task<Arguments> {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const running = useRef(false);
  const run = async (...given: Arguments): Promise<boolean> => {
    if (running.current) return false;
    running.current = true;
    setBusy(true);
    setError(null);
    try {
      await action(...given);
      return true;
    } catch (problem) {
      setError(problem);
      return false;
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { busy, error, run, clear: () => setError(null) };
}

const SHORTCUTS = "facegate-console.shortcuts";

export function shortcutsOn(): boolean {
  return localStorage.getItem(SHORTCUTS) !== "off";
}

export function setShortcuts(on: boolean): void {
  localStorage.setItem(SHORTCUTS, on ? "on" : "off");
}

/** Keys without a modifier, while the person types nowhere and no dialog is open. In a list of choices, digits and `i` stay keys: no choice begins so. */
export function useKeys(keys: Readonly<Record<string, (event: KeyboardEvent) => void>>): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const { target, key } = event;
      const typing = target instanceof HTMLElement && target.closest("input:not([type=radio], [type=checkbox]), textarea, select, dialog[open]") !== null && !(target instanceof HTMLSelectElement && /^[\di]$/.test(key));
      const run = latest.current[key];
      if (run === undefined || typing || event.ctrlKey || event.metaKey || event.altKey || !shortcutsOn()) return;
      event.preventDefault();
      run(event);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}

/** Moves the focus by some links of a list, from the focused one or into the list. */
export function moveFocus(list: HTMLElement | null, by: number): void {
  const links = [...(list?.querySelectorAll<HTMLElement>("a.row-link") ?? [])];
  const at = links.indexOf(document.activeElement as HTMLElement);
  const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1);
  links[next]?.focus();
}
