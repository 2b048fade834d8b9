/** Checks by day: counts, pass rate, reasons and time to a verdict, as plots and as a table. */
import { useState } from "preact/hooks";
import { call, CallError } from "../api.js";
import { checksOf, inParts, interval, passRate, reviewedOf, summed, timesOf, timesOfDay } from "../logic/figures.js";
import { bare, dayBefore, dayText, numberText, percentText, secondsText, startOfDay, written } from "../logic/format.js";
import { Chart } from "../parts/chart.js";
import { useConsole, useLoad } from "../parts/hooks.js";
import { Busy, Choice, Field, Form, Notice, Problem, Section, Table, Title } from "../parts/ui.js";
import { failure, language, t } from "../texts/index.js";
import type { FiguresDay } from "../types.js";
import { NotAllowed } from "./who.js";

const PERIODS = ["7", "30", "90", "365"];

export function FiguresPage() {
  const { can } = useConsole();
  const [period, setPeriod] = useState("30");
  const [policy, setPolicy] = useState("");
  const [sandbox, setSandbox] = useState("no");
  const [asked, setAsked] = useState({ period, policy, sandbox });
  const [now] = useState(() => Date.now());
  const found = useLoad(
    () =>
      inParts(
        startOfDay(dayBefore(now, Number(asked.period) - 1))!,
        startOfDay(dayBefore(now, 0), 1)!,
        async (decidedSince, decidedBefore) => {
          const { days } = await call("GetFigures", {
            decidedSince,
            decidedBefore,
            ...(asked.policy.trim() && { policy: asked.policy.trim() }),
            ...(asked.sandbox !== "" && { sandbox: asked.sandbox === "yes" }),
          });
          return days ?? [];
        },
        (error) => error instanceof CallError && error.metadata["maxChecks"] !== undefined,
      ),
    [asked],
  );
  if (!can("evidence.read")) return <NotAllowed title={t("page.figures")} />;
  const days = found.value ?? [];
  return (
    <>
      <Title>{t("page.figures")}</Title>
      <p class="lead">{t("figures.lead")}</p>
      <Form class="sheet filters" submit={() => setAsked({ period, policy, sandbox })}>
        <Choice label={t("figures.period")} value={period} change={setPeriod} options={PERIODS.map((one) => [one, t("figures.days", { n: one })])} />
        <Field label={t("filter.policy")} value={policy} change={setPolicy} maxLength={64} />
        <Choice
          label={t("filter.sandbox")}
          value={sandbox}
          change={setSandbox}
          options={[
            ["no", t("filter.sandbox.no")],
            ["yes", t("filter.sandbox.yes")],
            ["", t("any")],
          ]}
        />
        <div class="actions">
          <button type="submit" class="primary">
            {t("figures.show")}
          </button>
        </div>
      </Form>
      {found.busy && <Busy />}
      <Problem error={found.error} retry={found.reload} />
      {!found.busy && found.value !== null && (days.length === 0 ? <Notice>{t("figures.none")}</Notice> : <Shown found={days} />)}
    </>
  );
}

function Shown({ found }: { found: FiguresDay[] }) {
  const figures = summed(found);
  const rate = passRate(figures.total);
  const { rows: reviewed, open, expired } = reviewedOf(found);
  const number = (value: number) => numberText(value, language());
  const times = figures.days.map(({ day }) => Date.parse(`${day}T00:00:00Z`) / 1000);
  const rows = [...found].sort((one, other) => other.day.localeCompare(one.day) || (one.policy ?? "").localeCompare(other.policy ?? ""));
  return (
    <>
      <dl class="tiles" aria-label={t("figures.total")}>
        <Tile name={t("figures.checks")} value={number(checksOf(figures.total))} />
        <Tile name={t("figures.rate")} value={rate === null ? "–" : percentText(rate, language())} />
        <Tile name={t("figures.failures")} value={number(figures.total.failures)} />
        <Tile name={t("figures.undecided")} value={number(figures.total.undecided)} />
      </dl>
      <Section title={t("figures.perDay")}>
        <Chart
          label={t("figures.perDay")}
          times={times}
          bars
          series={[
            { name: t("figures.successes"), colour: "--good", values: figures.days.map((day) => day.successes) },
            { name: t("figures.failures"), colour: "--bad", values: figures.days.map((day) => day.failures) },
            { name: t("figures.undecided"), colour: "--warn", values: figures.days.map((day) => day.undecided) },
          ]}
        />
      </Section>
      <Section title={t("figures.rate")}>
        <Chart
          label={t("figures.rate")}
          times={times}
          highest={100}
          unit="%"
          series={[
            {
              name: t("figures.rate"),
              colour: "--accent",
              values: figures.days.map((day) => {
                const share = passRate(day);
                return share === null ? null : 100 * share;
              }),
            },
          ]}
        />
      </Section>
      {figures.policies.map((policy) => {
        const { median, p90 } = timesOf(found, figures.days, policy);
        return (
          <Section key={policy} title={t("figures.time", { policy })}>
            <Chart
              label={t("figures.time", { policy })}
              times={times}
              unit="s"
              series={[
                { name: t("figures.median"), colour: "--accent", values: median },
                { name: t("figures.p90"), colour: "--warn", values: p90 },
              ]}
            />
          </Section>
        );
      })}
      {figures.reasons.length > 0 && (
        <Section title={t("figures.reasons")} class="figures">
          <Table
            caption={t("figures.reasons")}
            columns={[t("column.reasons"), t("figures.checks"), t("figures.share")]}
            rows={figures.reasons.map(([reason, checks]) => ({
              key: reason,
              cells: [
                failure(bare(reason, "FAILURE_REASON_")).means,
                number(checks),
                percentText(checks / Math.max(figures.total.failures + figures.total.undecided, 1), language()),
              ],
            }))}
          />
          <p class="help">{t("figures.reasons.help")}</p>
        </Section>
      )}
      {open + expired + reviewed.reduce((sum, { decided }) => sum + decided, 0) > 0 && (
        <Section title={t("figures.reviews")} class="figures">
          <Table
            caption={t("figures.reviews")}
            columns={[t("figures.machine"), t("figures.people"), t("figures.checks"), t("figures.reviewed"), t("figures.reviewed.share"), t("figures.interval"), t("figures.unclear")]}
            rows={reviewed.map(({ status, sampled, decided, contradicted, unclear }) => {
              const range = interval(contradicted, decided);
              return {
                key: `${status} ${sampled}`,
                cells: [
                  sampled ? t("figures.successes.sampled") : t(status === "SUCCESS" ? "figures.successes" : "figures.failures"),
                  t(status === "SUCCESS" ? "figures.denied" : "figures.allowed"),
                  number(contradicted),
                  number(decided),
                  range === null ? "–" : percentText(contradicted / decided, language()),
                  range === null ? "–" : `${percentText(range.low, language())} – ${percentText(range.high, language())}`,
                  number(unclear),
                ],
              };
            })}
          />
          <p class="help">{t("figures.reviews.help", { open: number(open), expired: number(expired) })}</p>
        </Section>
      )}
      <Section title={t("figures.table")} class="figures">
        <Table
          caption={t("figures.table")}
          columns={[t("figures.day"), t("column.policy"), t("figures.successes"), t("figures.failures"), t("figures.undecided"), t("figures.median"), t("figures.p90")]}
          rows={rows.map((one) => ({
            key: `${one.day} ${one.policy ?? ""}`,
            cells: [
              dayText(one.day, language()),
              written(one.policy ?? "–"),
              number(Number(one.successes ?? 0)),
              number(Number(one.failures ?? 0)),
              number(Number(one.undecided ?? 0)),
              secondsText(timesOfDay(one).median, language()),
              secondsText(timesOfDay(one).p90, language()),
            ],
          }))}
        />
      </Section>
    </>
  );
}

function Tile({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
