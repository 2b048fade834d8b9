/** The list of decided checks. */
import { useRef, useState } from "preact/hooks";
import { call } from "../api.js";
import { bare, written } from "../logic/format.js";
import { type Filters, listRequest, NO_FILTERS, removeView, reversed, savedViews, saveView } from "../logic/filters.js";
import { addressOf } from "../logic/router.js";
import { moveFocus, useKeys, useLoad, useTask } from "../parts/hooks.js";
import { Busy, Choice, Field, Form, Notice, Problem, Table, Tag, Time, Title, type Tone } from "../parts/ui.js";
import { type FailureName, failure, t, tn, word } from "../texts/index.js";
import { FAILURES } from "../generated/texts.js";
import type { CheckSummary } from "../types.js";

const ATTACKS = ["PRINT", "SCREEN_REPLAY", "PAPER_MASK", "MASK_3D", "DEEPFAKE", "INJECTION", "UNKNOWN"];
const REASONS = Object.keys(FAILURES) as FailureName[];
/** What was listed last, so that the list is the same after a look at a check. Kept in memory alone. */
let remembered: { filters: Filters; opened: string } = { filters: NO_FILTERS, opened: "" };

/** Forgets the last filters, which may name a person. */
export function forgetFilters(): void {
  remembered = { filters: NO_FILTERS, opened: "" };
}

export function toneOf(status: string): Tone {
  return status === "SUCCESS" ? "good" : status === "FAILURE" ? "bad" : "warn";
}

export function ChecksPage() {
  const [filters, setFilters] = useState(remembered.filters);
  const list = useRef<HTMLDivElement>(null);
  const filterForm = useRef<HTMLDivElement>(null);
  useKeys({
    j: () => moveFocus(list.current, 1),
    k: () => moveFocus(list.current, -1),
    "/": () => filterForm.current?.querySelector("input")?.focus(),
  });
  const apply = (next: Filters) => {
    remembered = { filters: next, opened: "" };
    setFilters(next);
  };
  return (
    <>
      <Title>{t("page.checks")}</Title>
      <p class="lead">
        {t("checks.lead")} {t("checks.keys")}
      </p>
      <div ref={filterForm}>
        <FilterForm filters={filters} apply={apply} />
      </div>
      <div ref={list} class="list">
        <CheckList filters={filters} />
      </div>
    </>
  );
}

function FilterForm({ filters, apply }: { filters: Filters; apply: (filters: Filters) => void }) {
  const [draft, setDraft] = useState(filters);
  const [views, setViews] = useState(() => savedViews(localStorage));
  const [name, setName] = useState("");
  const set = (part: Partial<Filters>) => setDraft((before) => ({ ...before, ...part }));
  const choose = (next: Filters) => {
    setDraft(next);
    apply(next);
  };
  const more = draft.attack !== "" || draft.sign !== "" || draft.sandbox !== "" || draft.consent !== "";
  return (
    <section class="sheet" aria-label={t("filters")}>
      <Form class="filters" submit={() => apply(draft)}>
        {reversed(draft) && <Notice tone="warn">{t("filter.reversed")}</Notice>}
        <Field label={t("filter.subject")} value={draft.subject} change={(subject) => set({ subject })} maxLength={256} help={t("filter.exact")} />
        <Field label={t("filter.since")} type="date" value={draft.since} change={(since) => set({ since })} />
        <Field label={t("filter.until")} type="date" value={draft.until} change={(until) => set({ until })} />
        <Choice
          label={t("filter.status")}
          value={draft.status}
          change={(status) => set({ status })}
          options={[["", t("any")], ...["SUCCESS", "FAILURE", "NOT_DECIDED"].map((one) => [one, word("status", one)] as const)]}
        />
        <Choice
          label={t("filter.reason")}
          value={draft.reason}
          change={(reason) => set({ reason })}
          options={[["", t("any")], ...REASONS.map((one) => [one, failure(one).means] as const)]}
        />
        <Field label={t("filter.policy")} value={draft.policy} change={(policy) => set({ policy })} maxLength={64} />
        <details class="wide" open={more}>
          <summary>{t("filters.more")}</summary>
          <div class="filters">
            <Field label={t("filter.consent")} value={draft.consent} change={(consent) => set({ consent })} maxLength={256} />
            <Choice
              label={t("filter.attack")}
              value={draft.attack}
              change={(attack) => set({ attack })}
              options={[["", t("any")], ...ATTACKS.map((one) => [one, word("attack", one)] as const)]}
            />
            <Field label={t("filter.sign")} value={draft.sign} change={(sign) => set({ sign })} help={t("filter.sign.help")} maxLength={64} />
            <Choice
              label={t("filter.sandbox")}
              value={draft.sandbox}
              change={(sandbox) => set({ sandbox: sandbox as Filters["sandbox"] })}
              options={[
                ["", t("any")],
                ["no", t("filter.sandbox.no")],
                ["yes", t("filter.sandbox.yes")],
              ]}
            />
          </div>
        </details>
        <label class="tick">
          <input type="checkbox" checked={draft.onHold} onChange={(event) => set({ onHold: event.currentTarget.checked })} />
          {t("filter.onHold")}
        </label>
        <div class="actions">
          <button type="submit" class="primary" disabled={reversed(draft)}>
            {t("find")}
          </button>
          <button type="button" onClick={() => choose(NO_FILTERS)}>
            {t("filters.clear")}
          </button>
        </div>
      </Form>
      <details class="views">
        <summary>{t("views")}</summary>
        <ul class="plain">
          {views.map((view) => (
            <li key={view.name}>
              <button type="button" onClick={() => choose(view.filters)}>
                {written(view.name)}
              </button>
              <button type="button" class="quiet" aria-label={t("views.remove", { name: view.name })} onClick={() => setViews(removeView(localStorage, view.name))}>
                ×
              </button>
            </li>
          ))}
        </ul>
        <Form
          class="inline"
          submit={() => {
            setViews(saveView(localStorage, name.trim(), draft));
            setName("");
          }}
        >
          <Field label={t("views.name")} value={name} change={setName} required maxLength={40} pattern=".*\S.*" help={t("views.help")} />
          <button type="submit">{t("views.save")}</button>
        </Form>
      </details>
    </section>
  );
}

function CheckList({ filters }: { filters: Filters }) {
  const [more, setMore] = useState<{ of: Filters; checks: CheckSummary[]; token: string }>({ of: filters, checks: [], token: "" });
  const first = useLoad(async () => {
    const answer = await call("ListChecks", listRequest(filters));
    setMore({ of: filters, checks: answer.checks ?? [], token: answer.nextPageToken ?? "" });
  }, [filters]);
  const next = useTask(async () => {
    const answer = await call("ListChecks", listRequest(filters, more.token));
    setMore((before) =>
      before.of === filters ? { of: filters, checks: [...before.checks, ...(answer.checks ?? [])], token: answer.nextPageToken ?? "" } : before,
    );
  });
  if (first.busy) return <Busy />;
  if (first.error !== null) return <Problem error={first.error} retry={first.reload} />;
  if (more.checks.length === 0) return <Notice>{t("checks.none")}</Notice>;
  return (
    <>
      <p role="status" class="count">
        {tn("checks.count", more.checks.length)}
        {more.token !== "" && `. ${t("checks.more")}`}
      </p>
      <CheckTable caption={t("page.checks")} checks={more.checks} opened={remembered.opened} open={(opened) => (remembered.opened = opened)} />
      {more.token !== "" && (
        <button type="button" disabled={next.busy} onClick={() => void next.run()}>
          {t("next")}
        </button>
      )}
      <Problem error={next.error} />
    </>
  );
}

/** A table of checks, whose rows lead to each. */
export function CheckTable({
  caption,
  checks,
  opened = "",
  open = () => {},
}: {
  caption: string;
  checks: readonly CheckSummary[];
  opened?: string;
  open?: (checkId: string) => void;
}) {
  return (
    <Table
      caption={caption}
      columns={[t("column.decided"), t("column.status"), t("column.reasons"), t("column.policy"), t("column.check")]}
      rows={checks.map((check) => {
        const status = bare(check.status, "CHECK_STATUS_");
        return {
          key: check.checkId,
          cells: [
            <Time of={check.decideTime} />,
            <>
              <Tag tone={toneOf(status)}>{word("status", status)}</Tag>
              {check.onHold && <Tag tone="warn">{t("tag.onHold")}</Tag>}
              {check.sandbox && <Tag>{t("tag.sandbox")}</Tag>}
            </>,
            check.reasons?.map((reason) => failure(bare(reason, "FAILURE_REASON_")).means).join(" ") || "–",
            written(check.policy ?? "–"),
            <a
              class={`row-link${check.checkId === opened ? " opened" : ""}`}
              href={addressOf("checks", check.checkId)}
              aria-label={t("checks.open", { id: check.checkId })}
              onClick={() => open(check.checkId)}
            >
              <code>{check.checkId.slice(0, 8)}</code>
            </a>,
          ],
        };
      })}
    />
  );
}
