/** The parts that the pages are made of. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { CallError } from "../api.js";
import { timeText } from "../logic/format.js";
import { errorText } from "../texts/errors.js";
import { language, t } from "../texts/index.js";

export type Tone = "good" | "bad" | "warn" | "plain";

/** The heading of a page, which takes the focus when the page is shown. */
export function Title({ children }: { children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <h1 tabIndex={-1} ref={heading}>
      {children}
    </h1>
  );
}

export function Section({ title, children, class: kind = "" }: { title: string; children: ComponentChildren; class?: string }) {
  const id = useId();
  return (
    <section class={`sheet ${kind}`} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

export function Notice({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }) {
  return (
    <div class={`notice ${tone}`} role={tone === "bad" ? "alert" : "status"}>
      {children}
    </div>
  );
}

export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  if (error === null || error === undefined) return null;
  return (
    <Notice tone="bad">
      <p>{errorText(error)}</p>
      {retry && mayPass(error) && (
        <button type="button" onClick={retry}>
          {t("again")}
        </button>
      )}
    </Notice>
  );
}

/** Whether a call may succeed when it is repeated unchanged. */
function mayPass(error: unknown): boolean {
  return !(error instanceof CallError) || error.status < 400 || error.status === 429 || error.status >= 500;
}

export function Busy({ text = t("loading") }: { text?: string }) {
  return (
    <p class="busy" role="status">
      {text}
    </p>
  );
}

export function Tag({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`tag ${tone}`}>{children}</span>;
}

export function Time({ of }: { of: string | undefined }) {
  return of === undefined ? <>–</> : <time dateTime={of}>{timeText(of, language())}</time>;
}

interface FieldProps {
  label: string;
  value: string;
  change: (value: string) => void;
  help?: string | undefined;
  type?: "text" | "date" | "password";
  required?: boolean;
  maxLength?: number;
  pattern?: string;
  autocomplete?: "off" | "current-password";
}

/** A labelled input with its help. */
export function Field({ label, value, change, help, type = "text", autocomplete = "off", ...rest }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        value={value}
        // The types of this attribute are one union each.
        type={type as "text"}
        autocomplete={autocomplete}
        spellcheck={false}
        {...rest}
        {...(help === undefined ? {} : { "aria-describedby": `${id}-help` })}
        onInput={(event) => change(event.currentTarget.value)}
      />
      {help !== undefined && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}

export function Choice({
  label,
  value,
  change,
  options,
  required = false,
}: {
  label: string;
  value: string;
  change: (value: string) => void;
  options: readonly (readonly [value: string, text: string])[];
  required?: boolean;
}) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} required={required} onChange={(event) => change(event.currentTarget.value)}>
        {options.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

/** Names with their values. */
export function Facts({ rows }: { rows: readonly (readonly [string, ComponentChildren] | null)[] }) {
  return (
    <dl class="facts">
      {rows.map(
        (row) =>
          row !== null && (
            <div key={row[0]}>
              <dt>{row[0]}</dt>
              <dd>{row[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

/** A table whose rows are cards on a phone; the roles keep it a table there, too. */
export function Table({
  caption,
  columns,
  rows,
  label = caption,
}: {
  caption: string;
  columns: readonly string[];
  rows: readonly { key: string; cells: readonly ComponentChildren[] }[];
  label?: string;
}) {
  return (
    <table role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column} scope="col" role="columnheader">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map(({ key, cells }) => (
          <tr key={key} role="row">
            {cells.map((cell, index) => (
              <td key={columns[index]} role="cell" data-label={columns[index]}>
                <div>{cell}</div>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A bar for a value from 0 to `highest`, with lines across it. */
export function Gauge({
  value,
  highest,
  tone,
  spoken,
  lines = [],
}: {
  value: number;
  highest: number;
  tone: Tone;
  spoken: string;
  lines?: readonly number[];
}) {
  const share = (of: number) => `${Math.min(Math.max((100 * of) / highest, 0), 100).toFixed(1)}%`;
  return (
    <span class={`gauge ${tone}`} role="img" aria-label={spoken}>
      <span class="fill" style={{ width: share(value) }} />
      {lines.map((line) => (
        <span key={line} class="line" style={{ left: share(line) }} />
      ))}
    </span>
  );
}

/** A modal dialog: the focus stays in it and returns to where it was; Escape closes it. */
export function Dialog({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const own = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    own.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={own}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

/** A form whose submission is a task of the page. */
export function Form({ submit, children, class: kind = "" }: { submit: () => void; children: ComponentChildren; class?: string }) {
  return (
    <form
      class={kind}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {children}
    </form>
  );
}

export function Purpose({ value, change, help = t("purpose.help") }: { value: string; change: (value: string) => void; help?: string }) {
  return <Field label={t("purpose")} value={value} change={change} help={help} required maxLength={256} pattern=".*\S.*" />;
}
