// What the page is told of the state: calls as /metrics counts them, and each shard as the database tells of it. Whatever
// asks the database costs the same however many look at the page.

import type { Migration, ShardSize } from "../database/state.ts";
import type { Tablet } from "../database/tablets.ts";
import type { SweepStatus } from "../sweep/status.ts";
import type { HistoryDocument, StateDocument } from "./document.ts";
import { History, type Reading, STEP_MS } from "./history.ts";
import { between, gauge, type Metric, statementRates, totalsOf } from "./numbers.ts";

/** For how long an answer is repeated. */
const FRESH_MS = 1_000;
/** The same of what is dear to ask for, and changes slowly. */
const SIZES_FRESH_MS = 5_000;
/** Over how long at most "now" is measured. */
const NOW_MS = 10_000;
/** Of more a page would be long, and asking about their tablets and sweeps dear: a fleet has a monitor. */
const SHARDS = 64;

export interface StateSources {
  /** What /metrics tells of the processes. */
  metrics: () => Promise<Metric[]>;
  ping: () => Promise<void>;
  shards: () => string[];
  /** Undefined of a database that has none. */
  tablets?: () => Promise<Tablet[]>;
  sweep: () => Promise<Map<string, SweepStatus>>;
  size: (shard: string) => Promise<ShardSize | undefined>;
  migrations: () => Promise<Migration[]>;
}

export function watchState(sources: StateSources) {
  const history = new History();
  /** Of the last seconds, for what is called "now". */
  let recent: Reading[] = [];

  async function read(): Promise<{ metrics: Metric[]; reading: Reading }> {
    const metrics = await sources.metrics();
    const reading = { at: performance.now(), time: Date.now(), totals: totalsOf(metrics) };
    recent = [...recent.filter(({ at }) => reading.at - at <= NOW_MS), reading];
    return { metrics, reading };
  }

  const tick = () =>
    read()
      .then(({ reading }) => history.add(reading))
      // The processes do not answer: there is no point then.
      .catch(() => {});
  tick();
  const timer = setInterval(tick, STEP_MS);
  timer.unref?.();

  const isSmall = () => sources.shards().length <= SHARDS;
  const sizes = lately(async () => {
    const tablets = isSmall() ? await sources.tablets?.().catch(() => []) : [];
    const names = namesOf(sources.shards(), tablets ?? []);
    return new Map(await Promise.all(names.map(async (name) => [name, await sources.size(name)] as const)));
  }, new Map());
  const migrations = lately(sources.migrations, []);

  const state = kept(async (): Promise<StateDocument> => {
    const [{ metrics, reading }, answers, tablets, sweep] = await Promise.all([
      read(),
      sources.ping().then(
        () => true,
        () => false,
      ),
      isSmall() ? sources.tablets?.().catch(() => undefined) : undefined,
      isSmall() ? sources.sweep() : new Map<string, SweepStatus>(),
    ]);
    const before = recent[0] === reading ? undefined : recent[0];
    const seconds = before ? (reading.at - before.at) / 1000 : 0;
    const rates = before && statementRates(before.totals, reading.totals, seconds);
    const serving = sources.shards();
    const { took, statements, ...totals } = reading.totals;
    return {
      time: reading.time,
      database: { answers, kind: sources.tablets ? "vitess" : "mysql" },
      processes: gauge(metrics, "kv_processes"),
      now: before ? between(before.totals, reading.totals, seconds) : null,
      totals,
      waiting: waitingOf(metrics),
      shardsCount: serving.length,
      shards: namesOf(serving, tablets ?? []).map((name) => ({
        name,
        serves: serving.includes(name),
        tablets: tablets?.filter(({ shard }) => shard === name) ?? null,
        size: (answers && sizes().get(name)) || null,
        statementsPerSecond: rates?.get(name) ?? null,
        sweep: sweep.get(name) ?? null,
        migrations: migrations().filter(({ shard }) => shard === name),
      })),
    };
  });

  return { state, history: (): HistoryDocument => ({ points: history.all() }) };
}

function waitingOf(metrics: Metric[]): StateDocument["waiting"] {
  const [calls, callsLimit, bytes, bytesLimit] = ["calls", "calls_limit", "bytes", "bytes_limit"].map((name) =>
    gauge(metrics, `kv_waiting_${name}`),
  );
  return calls == null || callsLimit == null || bytes == null || bytesLimit == null
    ? null
    : { calls, callsLimit, bytes, bytesLimit };
}

/** Those that serve, and those that are being filled or emptied, in the order of their ranges. */
function namesOf(serving: string[], tablets: Tablet[]): string[] {
  const names = new Set([...serving, ...tablets.map(({ shard }) => shard)]);
  return [...names].sort().slice(0, SHARDS);
}

/** Asks once for all who ask while it is under way, or soon after. */
function kept<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: { until: number; answer: Promise<T> } | undefined;
  return () => {
    if (!asked || performance.now() > asked.until) {
      const mine = { until: Number.POSITIVE_INFINITY, answer: ask() };
      asked = mine;
      const end = () => {
        mine.until = performance.now() + FRESH_MS;
      };
      mine.answer.then(end, end);
    }
    return asked.answer;
  };
}

/** What was answered last, at once: nobody waits for the next answer, which is asked for where the last is old. */
function lately<T>(ask: () => Promise<T>, first: T): () => T {
  let known = first;
  let until = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() > until) {
      until = Number.POSITIVE_INFINITY;
      ask()
        .then((answer) => {
          known = answer;
        })
        .catch(() => {})
        .finally(() => {
          until = performance.now() + SIZES_FRESH_MS;
        });
    }
    return known;
  };
}
