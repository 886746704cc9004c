// Every kind of call on one server: under load, each measured beside plain PUT or GET, because their ratio is then one of
// neighbours and what changes on the machine from minute to minute is in neither; all on one key; each on one connection;
// many in one request.
//
// With KV_BENCH_BEFORE=/path/to/another/checkout/src/server.ts that version serves the same cluster too. One connection,
// and GET and PUT under load, are then measured on both versions in turns: figures of two runs say little about two
// versions. They must understand one schema, the newer one's, and each has its dependencies installed.

import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, atMost, type Bar, barTable, none } from "../bars.ts";
import { BATCH, BATCH_CONNECTIONS, batchTables, measureBatches } from "../batches.ts";
import { clusterGroups, untilIdle } from "../cpu.ts";
import { DEADLOCKS, deadlocks } from "../deadlocks.ts";
import { simulateLoad } from "../generators.ts";
import { isSpending, KIND_NAMES, type KindName } from "../load/kinds.ts";
import { increment, sum } from "../load/tally.ts";
import type { WorkloadName } from "../load/workloads.ts";
import { type Findings, figure, median, packageVersion, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS, VALUE_BYTES } from "../system.ts";

const CONNECTIONS = 1_000;
const IDLE_TIMEOUT_MS = 15_000;
/** Keys for calls that use them up: as many as plain PUTs would use, and some more. */
const SPENT = { margin: 1.5, ratePerSecond: 10_000 };
/** On one connection: rounds at least, an even number, so that each version comes first as often as the other. */
const ALONE = { rounds: 4, keys: 1_000, spentPerSecond: 1_500 };

interface Load {
  workload: WorkloadName;
  /** On one key, or on all. */
  hot: boolean;
  connections: number;
  /** What is asked of its rate and of its latency, against the plain call's rate and p99. */
  least: number;
  latency: { of: "p99Ms" | "maxMs"; most: number } | undefined;
}

const many = { hot: false, connections: CONNECTIONS };
const read = (workload: KindName): Load => ({ ...many, workload, least: 0.9, latency: undefined });
const write = (workload: WorkloadName): Load => ({ ...many, workload, least: 0.7, latency: { of: "p99Ms", most: 2 } });
const hot = (workload: WorkloadName, least = 1): Load => ({
  ...{ ...many, workload, hot: true, least, latency: { of: "maxMs", most: 3 } },
});
const limiter: Load = { workload: "limiter", hot: true, connections: 200, least: 0.5, latency: undefined };

const [GET, PUT] = [read("get"), write("put")];
/** Each is measured right before or after the plain call in its group. */
const GROUPS: [plain: Load, ...others: Load[]][] = [
  [GET, read("head"), read("get-ttl")],
  [PUT, write("create-new"), write("create-taken")],
  [PUT, write("if-match"), write("keep-ttl")],
  [PUT, write("put-ttl"), write("put-ttl-gt")],
  [PUT, write("delete"), write("delete-if-match")],
  [PUT, write("delete-ttl"), hot("put-ttl")],
  [PUT, hot("counters"), hot("create-taken")],
  [PUT, hot("all-kinds")],
  [PUT, write("increments"), hot("increments", 0.8), limiter],
];

interface Figures {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  right: number;
  /** Wrong answers, errors and refusals, by what they were. */
  wrongs: Record<string, number>;
  generatorMicros: number;
}

type Measure = (load: Omit<Load, "least" | "latency">, url: string, times: Times) => Promise<Figures>;
type Times = { keys: number; seconds: number; warmup: number };

export async function calls(rig: Rig): Promise<Findings> {
  const { seconds, warmupSeconds, rounds } = rig.options;
  const cluster = await rig.cluster();
  const before = await deadlocks(cluster);
  const program = process.env.KV_BENCH_BEFORE;
  const others = program
    ? [["before", await step("a server of before", () => rig.startServer({}, program))] as const]
    : [];
  const server = await step("a server", () => rig.startServer());
  const servers = [...others, ["now", server] as const].map(([name, { url }]): [string, string] => [name, url]);
  const measure = measureWith(rig, Object.values(clusterGroups(cluster)).flat());
  const underLoad = await measureUnderLoad(rig, measure, server.url);
  const alone = await alternate(
    rig,
    measure,
    servers,
    [...KIND_NAMES, "increments"],
    "median ms",
    ({ p50Ms }) => p50Ms,
  );
  const versions = program
    ? await alternate(rig, measure, servers, ["get", "put"], "calls/s", ({ perSecond }) => perSecond, CONNECTIONS)
    : [];
  const batches = await measureBatches(rig, server);
  const all = [...underLoad.flatMap((each) => each.rounds), ...[...alone, ...versions].flatMap((each) => each.rounds)];
  const wrongs: Record<string, number> = {};
  for (const round of all) for (const [what, times] of Object.entries(round.wrongs)) increment(wrongs, what, times);
  const bars = [
    ...judge(underLoad),
    ...batches.bars,
    none("wrong answers, errors and refusals, all kinds", sum(wrongs)),
    none(DEADLOCKS, (await deadlocks(cluster)) - before),
  ];
  const wrong = Object.entries(wrongs).map(([what, times]) => `${times} × ${what}`);
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2"), ...batches.versions },
    method: `Values of ${VALUE_BYTES} bytes under ${figure(KEYS)} keys, chosen uniformly at random of those without a call under way; all calls by the load simulator. Each kind measured for ${seconds} s after ${warmupSeconds} s of warm-up, right before or after the plain PUT or GET that it is held against${rounds > 1 ? `; the median of ${rounds} rounds` : ""}. One connection: medians of ${Math.max(ALONE.rounds, rounds)} rounds. Each increment was held against all others of its counter, and the sums at the end. Batches: ${BATCH} keys in a request from ${BATCH_CONNECTIONS} connections, by oha.`,
    data: { calls: underLoad, alone, versions, batches: batches.measured, wrongs, bars },
    markdown: [
      ...[`## ${figure(CONNECTIONS)} connections`, callTable(underLoad)],
      ...["## One connection", versionTable(alone)],
      ...(versions.length > 0 ? ["## Before and now", versionTable(versions)] : []),
      ...[`## Batches of ${BATCH} from ${BATCH_CONNECTIONS} connections`, ...batchTables(batches)],
      ...(wrong.length > 0 ? [`Wrong: ${wrong.join(", ")}.`] : []),
      ...["## Bars", barTable(bars)],
    ].join("\n\n"),
  };
}

/** Makes calls of one kind, each time in a namespace of its own, when nothing is left of an earlier load. */
function measureWith(rig: Rig, processes: (number | null)[]): Measure {
  const idle = () => untilIdle(processes, IDLE_TIMEOUT_MS, rig.signal);
  let runs = 0;
  return async ({ workload, hot, connections }, url, { keys, seconds, warmup }) => {
    await idle();
    const options = {
      ...{ url, workload, keys: hot ? 1 : keys, clients: [connections], valueBytes: VALUE_BYTES, seconds, warmup },
      ...{ distribution: "uniform" as const, namespace: `calls-${++runs}` },
    };
    const { steps } = await simulateLoad(rig, titleOf({ workload, hot }), options, idle);
    const [{ measuredSeconds, reads, writes, ...found }] = steps as [(typeof steps)[0]];
    if (measuredSeconds === 0) throw new Error(`${workload}: its ${keys} keys were used up before the measurement`);
    // Of swaps only the writes count, not the reads before them.
    const counted = workload === "counters" ? [writes] : [reads, writes];
    const slowest = (of: "p50" | "p99" | "max") => Math.max(...counted.map(({ latencyMs }) => latencyMs?.[of] ?? 0));
    const wrongs = Object.entries({ ...found.errors, ...found.refused, ...found.violations });
    return {
      perSecond: counted.reduce((all, { perSecond }) => all + perSecond, 0),
      ...{ p50Ms: slowest("p50"), p99Ms: slowest("p99"), maxMs: slowest("max") },
      right: reads.count + writes.count,
      wrongs: Object.fromEntries(wrongs.filter(([, times]) => times > 0)),
      generatorMicros: found.generatorMicrosecondsPerCall,
    };
  };
}

async function measureUnderLoad(rig: Rig, measure: Measure, url: string) {
  const { rounds, seconds, warmupSeconds: warmup } = rig.options;
  const results = new Map<Load, (Figures & { plain: Figures })[]>();
  let { ratePerSecond } = SPENT;
  const run = (load: Load) => {
    const spent = Math.ceil(ratePerSecond * (seconds + warmup) * SPENT.margin) + CONNECTIONS;
    const keys = isSpending(load.workload) ? spent : KEYS;
    return measure(load, url, { keys, seconds, warmup });
  };
  for (let round = 1; round <= rounds; round++) {
    for (const [plainLoad, ...others] of GROUPS) {
      const plain = await run(plainLoad);
      if (plainLoad === PUT) ratePerSecond = Math.max(1, plain.perSecond);
      const found = [[plainLoad, plain] as const];
      for (const load of others) found.push([load, await run(load)]);
      for (const [load, figures] of found) results.set(load, [...(results.get(load) ?? []), { ...figures, plain }]);
    }
  }
  return [...results].map(([load, rounds]) => {
    const of = (field: (round: (typeof rounds)[0]) => number) => median(rounds.map(field));
    return {
      call: titleOf(load),
      isPlain: load === GET || load === PUT,
      ...{ least: load.least, latency: load.latency },
      perSecond: of(({ perSecond }) => perSecond),
      p50Ms: of(({ p50Ms }) => p50Ms),
      p99Ms: of(({ p99Ms }) => p99Ms),
      maxMs: of(({ maxMs }) => maxMs),
      ratio: of(({ perSecond, plain }) => perSecond / plain.perSecond),
      p99Ratio: of(({ p99Ms, plain }) => p99Ms / plain.p99Ms),
      maxRatio: of(({ maxMs, plain }) => maxMs / plain.p99Ms),
      generatorMicros: of(({ generatorMicros }) => generatorMicros),
      rounds,
    };
  });
}

type Summary = Awaited<ReturnType<typeof measureUnderLoad>>[number];

function titleOf({ workload, hot }: Pick<Load, "workload" | "hot">): string {
  return hot ? `hot key: ${workload}` : workload;
}

function judge(calls: Summary[]): Bar[] {
  return calls.flatMap(({ call, isPlain, least, latency, ratio, p99Ratio, maxRatio }) => {
    // Nothing is asked of plain DELETE, which is no other write than a PUT.
    if (isPlain || call === "delete") return [];
    const rate = atLeast(`${call}, calls/s against the plain call`, least, ratio);
    if (!latency) return [rate];
    const [name, value] = latency.of === "maxMs" ? ["slowest", maxRatio] : ["p99", p99Ratio];
    return [rate, atMost(`${call}, ${name} against the plain call's p99`, latency.most, value as number)];
  });
}

/** The same calls on every version in turns, on one connection or on more. */
async function alternate(
  rig: Rig,
  measure: Measure,
  servers: [name: string, url: string][],
  kinds: WorkloadName[],
  what: string,
  field: (figures: Figures) => number,
  connections = 1,
) {
  const { seconds, warmupSeconds } = rig.options;
  const isAlone = connections === 1;
  const times = isAlone
    ? { seconds: Math.max(1, Math.round(seconds / 5)), warmup: 1 }
    : { seconds, warmup: warmupSeconds };
  const spent = (times.seconds + times.warmup) * ALONE.spentPerSecond;
  const results = kinds.map((kind) => ({ kind, found: servers.map(() => [] as Figures[]) }));
  for (let round = 0; round < Math.max(ALONE.rounds, rig.options.rounds); round++) {
    for (const { kind, found } of results) {
      const order = [...servers.keys()];
      for (const i of round % 2 === 0 ? order : order.reverse()) {
        const keys = isSpending(kind) ? spent : isAlone ? ALONE.keys : KEYS;
        const url = servers[i]?.[1] as string;
        found[i]?.push(await measure({ workload: kind, hot: false, connections }, url, { keys, ...times }));
      }
    }
  }
  return results.map(({ kind, found }) => {
    const medians = found.map((rounds) => median(rounds.map(field)));
    return { call: `${kind}, ${what}`, medians, servers: servers.map(([name]) => name), rounds: found.flat() };
  });
}

function versionTable(rows: Awaited<ReturnType<typeof alternate>>): string {
  const [{ servers }] = rows as [(typeof rows)[0]];
  const ratio = ([before, now]: number[]) => (now === undefined ? [] : [now / (before as number)]);
  return table(
    ["Call", ...servers, ...(servers.length > 1 ? ["now ÷ before"] : [])],
    rows.map(({ call, medians }) => [call, ...[...medians, ...ratio(medians)].map(figure)]),
  );
}

function callTable(calls: Summary[]): string {
  const head = ["Call", "calls/s", "p50 ms", "p99 ms", "slowest ms", "÷ PUT or GET", "p99 ÷", "generator µs/call"];
  return table(
    head,
    calls.map((each) => [
      each.call,
      ...[each.perSecond, each.p50Ms, each.p99Ms, each.maxMs].map(figure),
      ...(each.isPlain ? ["–", "–"] : [figure(each.ratio), figure(each.p99Ratio)]),
      figure(each.generatorMicros),
    ]),
  );
}
