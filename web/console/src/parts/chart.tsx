/** A plot over days. The table below it says the same, so that it is hidden from screen readers but for its name. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { language } from "../texts/index.js";

export interface Series {
  name: string;
  /** A colour of the style sheet. */
  colour: string;
  values: (number | null)[];
}

const HEIGHT = 240;
const DAY_S = 86_400;

export function Chart({ label, times, series, bars = false, highest, unit = "" }: { label: string; times: number[]; series: Series[]; bars?: boolean; highest?: number; unit?: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const parent = box.current!;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    let plot: uPlot | null = null;
    const draw = () => {
      plot?.destroy();
      plot = new uPlot(options(parent, { times, series, bars, highest, unit }), [times, ...plotted(series, bars)], parent);
    };
    draw();
    const resized = new ResizeObserver(() => plot?.setSize({ width: parent.clientWidth, height: HEIGHT }));
    resized.observe(parent);
    dark.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", draw);
      plot?.destroy();
    };
  }, [times, series]);
  return (
    <figure class="chart">
      <div ref={box} class="plot" role="img" aria-label={label} />
      <figcaption>
        {series.map(({ name, colour }) => (
          <span key={name} class={`key ${colour.slice(2)}`}>
            {name}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

/** The series as they are drawn: bars stand on those before them, and the first is drawn last. */
function plotted(series: readonly Series[], stacked: boolean): (number | null)[][] {
  if (!stacked) return series.map(({ values }) => values);
  const sums: number[][] = [];
  for (const { values } of series) sums.push(values.map((value, index) => (value ?? 0) + (sums.at(-1)?.[index] ?? 0)));
  return sums.reverse();
}

function options(
  parent: HTMLElement,
  { times, series, bars, highest, unit }: { times: number[]; series: Series[]; bars: boolean; highest: number | undefined; unit: string },
): uPlot.Options {
  const style = getComputedStyle(parent);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const locale = language() === "de" ? "de-DE" : "en-GB";
  const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });
  const first = times[0] ?? 0;
  const last = times.at(-1) ?? first;
  return {
    width: parent.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: [first - DAY_S / 2, last + DAY_S / 2] },
      y: { range: (_plot, _low, high) => [0, highest ?? Math.max(high * 1.1, 1)] },
    },
    axes: [
      {
        ...axis,
        space: 64,
        incrs: [1, 2, 7, 14, 28, 56, 91].map((days) => days * DAY_S),
        values: (_plot, ticks) => ticks.map((tick) => day.format(new Date(tick * 1000))),
      },
      { ...axis, size: 56, values: (_plot, ticks) => ticks.map((tick) => `${tick.toLocaleString(locale)}${unit && ` ${unit}`}`) },
    ],
    series: [
      {},
      ...(bars ? [...series].reverse() : series).map((one) => ({
        label: one.name,
        stroke: colour(one.colour),
        width: bars ? 0 : 2,
        ...(bars ? { fill: colour(one.colour), paths: uPlot.paths.bars!({ size: [0.7, 40], align: 0 }), points: { show: false } } : { points: { show: true, size: 5, fill: colour(one.colour) } }),
      })),
    ],
  };
}
