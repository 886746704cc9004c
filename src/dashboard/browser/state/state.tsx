// The state of the servers and of the database, now and over the last hour.

import { useCallback, useMemo } from "preact/hooks";
import type { HistoryDocument, StateDocument } from "../../document.ts";
import { sizeText } from "../bytes.ts";
import { useLoaded } from "../hooks.ts";
import { Problem } from "../problem.tsx";
import { ask, sentenceOf } from "../server.ts";
import { Chart } from "./chart.tsx";
import { numberText } from "./number.ts";
import { Shards } from "./shards.tsx";

const STATE_MS = 2_000;
const HISTORY_MS = 10_000;

export function StateView() {
  const { value: state, error } = useLoaded(
    useCallback(() => ask<StateDocument>("dashboard/state"), []),
    STATE_MS,
  );
  const { value: history } = useLoaded(
    useCallback(() => ask<HistoryDocument>("dashboard/history"), []),
    HISTORY_MS,
  );
  const isNone = (error as { code?: string } | undefined)?.code === "no_such_route";
  return (
    <div class="state">
      <p class={error === undefined ? "unseen" : "problem"} role="status">
        {isNone
          ? "This server tells of no state: a Worker counts nothing. Cloudflare's own analytics do."
          : error === undefined
            ? ""
            : `${sentenceOf(error)} ${state ? `What follows was so at ${timeText(state.time)}.` : ""}`}
      </p>
      {state && !state.database.answers && <Problem text="The database does not answer. This page goes on asking." />}
      {state && <Now state={state} />}
      {history && history.points.length > 1 && <Hour history={history} />}
      {state && <Shards state={state} />}
    </div>
  );
}

function Now({ state: { now, waiting, totals, processes } }: { state: StateDocument }) {
  const numbers: [name: string, text: string][] = [
    ["Calls a second", numberText(now?.callsPerSecond)],
    ["Half take up to", numberText(now?.p50Ms, "ms")],
    ["99% take up to", numberText(now?.p99Ms, "ms")],
    ["Failures a second", numberText(now?.failedPerSecond)],
    ["Refused a second", numberText(now?.refusedPerSecond)],
    ["Keys in a batch", numberText(now?.rowsPerBatch)],
    ["Calls in a batch", numberText(now?.callsPerBatch)],
  ];
  if (waiting) {
    numbers.push(["Calls waiting", `${numberText(waiting.calls)} of ${numberText(waiting.callsLimit)}`]);
    numbers.push(["Bytes waiting", `${sizeText(waiting.bytes)} of ${sizeText(waiting.bytesLimit)}`]);
  }
  return (
    <section aria-label="Now">
      <h2>Now</h2>
      <dl class="numbers">
        {numbers.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">
        Over the last seconds. Since the start {numberText(totals.calls)} calls, {numberText(totals.failed)} failed and{" "}
        {numberText(totals.refused)} refused, in {processes === 1 ? "one process" : `${processes ?? "–"} processes`}.
      </p>
    </section>
  );
}

function Hour({ history: { points } }: { history: HistoryDocument }) {
  const of = useMemo(() => {
    const column = (pick: (point: (typeof points)[0]) => number | null) => points.map(pick);
    return {
      times: column(({ time }) => time / 1000) as number[],
      calls: column(({ callsPerSecond }) => callsPerSecond),
      p50: column(({ p50Ms }) => p50Ms),
      p99: column(({ p99Ms }) => p99Ms),
      rows: column(({ rowsPerBatch }) => rowsPerBatch),
      refused: column(({ refusedPerSecond, failedPerSecond }) => refusedPerSecond + failedPerSecond),
    };
  }, [points]);
  const charts = [
    { title: "Calls a second", unit: "/s", lines: [{ name: "calls", values: of.calls }] },
    {
      title: "Time of a call",
      unit: "ms",
      lines: [
        { name: "p50", values: of.p50 },
        { name: "p99", values: of.p99 },
      ],
    },
    { title: "Keys in a batch", unit: "", lines: [{ name: "keys", values: of.rows }] },
    { title: "Refused and failed a second", unit: "/s", lines: [{ name: "refused or failed", values: of.refused }] },
  ];
  return (
    <section aria-label="The last hour">
      <h2>The last hour</h2>
      <div class="charts">
        {charts.map((chart) => (
          <Chart key={chart.title} times={of.times} {...chart} />
        ))}
      </div>
    </section>
  );
}

function timeText(time: number): string {
  return new Date(time).toLocaleTimeString();
}
