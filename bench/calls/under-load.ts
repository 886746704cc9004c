// Every kind of call over many connections, each measured beside plain PUT or GET: their ratio is one of neighbours, and
// what changes on the machine from minute to minute is in neither.

import { step } from "../../vitess/support/progress.ts";
import { atLeast, atMost, type Bar, none } from "../bars.ts";
import type { Calls } from "../load/calls.ts";
import { Counters } from "../load/counters.ts";
import { Keys } from "../load/keys.ts";
import { increment } from "../load/tally.ts";
import { figure, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS, VALUE_BYTES } from "../system.ts";
import { type Driven, drive, type Figures } from "./drive.ts";
import * as kinds from "./kinds.ts";
import { CONNECTIONS, idleCluster, medianOf, type Part, wrongLines } from "./part.ts";
import { Script } from "./script.ts";

/** Keys for calls that use them up: as many as plain PUTs would use, and some more. */
const SPENT = { margin: 1.5, ratePerSecond: 10_000 };

interface Load {
  name: string;
  /** On one key, or on all. */
  hot?: true;
  make: (namespace: string, spent: number) => Calls;
  /** Of what it was driven for, the part that counts. */
  figures: (driven: Driven) => Figures;
  least: number;
  /** What of its latency is held against p99 of the plain call, and how many times that it may be. */
  latency: { of: "p99Ms" | "maxMs"; most: number } | undefined;
}

const WRITE = { least: 0.7, latency: { of: "p99Ms", most: 2 } } as const;
const HOT = { hot: true, least: 1, latency: { of: "maxMs", most: 3 } } as const;
const ALL = ({ all }: Driven) => all;

function uniform(kind: kinds.Kind, bars: Pick<Load, "least" | "latency"> = WRITE): Load {
  const make = (namespace: string, spent: number) =>
    new Script({ namespace, kinds: [kind], keys: kind.keys === "spent" ? spent : KEYS });
  return { name: kind.name, make, figures: ALL, ...bars };
}

function hot(name: string, of: kinds.Kind[]): Load {
  const make = (namespace: string) => new Script({ namespace, kinds: of, keys: 1, shared: true });
  return { name: `hot key: ${name}`, make, figures: ALL, ...HOT };
}

const SWAP: Load = {
  name: "hot key: PUT If-Match, after a GET each",
  make: (namespace) =>
    new Counters(new Keys("uniform", 1, { process: 0, processes: 1 }), {
      ...{ namespace, run: "calls--1", valueBytes: VALUE_BYTES },
    }),
  figures: ({ writes }) => writes,
  ...HOT,
};

const READ = { least: 0.9, latency: undefined };
const [GET, PUT] = [uniform(kinds.GET, READ), uniform(kinds.PUT)];
/** Each is measured right before or after the plain call in its group. */
const GROUPS: Load[][] = [
  [uniform(kinds.HEAD, READ), GET, uniform(kinds.GET_TTL, READ)],
  [uniform(kinds.CREATE_NEW), PUT, uniform(kinds.CREATE_TAKEN)],
  [uniform(kinds.IF_MATCH), PUT, uniform(kinds.KEEP_TTL)],
  [uniform(kinds.TTL_PLAIN), PUT, uniform(kinds.TTL_GT)],
  [uniform(kinds.DELETE), PUT, uniform(kinds.DELETE_IF_MATCH)],
  [uniform(kinds.PERSIST), PUT, hot("PUT ttl", [kinds.TTL_PLAIN])],
  [SWAP, PUT, hot("PUT create-only", [kinds.CREATE_TAKEN])],
  [hot("all kinds", kinds.MIXED), PUT],
];

interface Round extends Driven {
  counted: Figures;
  /** Of the plain call beside it. */
  plain: Figures;
}

export async function underLoad(rig: Rig, url: string): Promise<Part> {
  const { rounds, seconds, warmupSeconds } = rig.options;
  const idle = await idleCluster(rig);
  const loads = [...new Set(GROUPS.flat())];
  const results = new Map(loads.map((load) => [load, [] as Round[]]));
  let runs = 0;
  let { ratePerSecond } = SPENT;
  const run = async (load: Load, round: number) => {
    await idle();
    runs += 1;
    return await step(`${load.name}, round ${round} of ${rounds}`, () => {
      const spent = Math.ceil(ratePerSecond * (seconds + warmupSeconds) * SPENT.margin) + CONNECTIONS;
      const calls = load.make(`calls-${runs}`, spent);
      return drive({ url, calls, connections: CONNECTIONS, seconds, warmupSeconds, idle }, rig.signal);
    });
  };
  for (let round = 1; round <= rounds; round++) {
    for (const group of GROUPS) {
      const driven = new Map<Load, Driven>();
      for (const load of group) {
        driven.set(load, await run(load, round));
        if (load === PUT) ratePerSecond = Math.max(1, driven.get(PUT)?.all.perSecond ?? 0);
      }
      const plain = (driven.get(PUT) ?? driven.get(GET)) as Driven;
      for (const [load, one] of driven)
        results.get(load)?.push({ ...one, counted: load.figures(one), plain: plain.all });
    }
  }
  const calls = loads.map((load) => summary(load, results.get(load) as Round[]));
  const wrongs = wrongLines(calls.map(({ call, wrongs }) => [call, wrongs]));
  return { data: { calls }, bars: judge(calls), markdown: [callTable(calls), ...wrongs].join("\n\n") };
}

/** One kind of call: the medians of all rounds. */
function summary(load: Load, rounds: Round[]) {
  const { name, least, latency } = load;
  const of = (field: (round: Round) => number) => medianOf(rounds, field);
  const isPlain = load === GET || load === PUT;
  const wrongs: Record<string, number> = {};
  for (const round of rounds) {
    for (const [what, count] of Object.entries(round.wrongs)) increment(wrongs, what, count);
    if (round.turnedAway > 0) increment(wrongs, "turned away", round.turnedAway);
  }
  const sum = (field: (round: Round) => number) => rounds.reduce((all, round) => all + field(round), 0);
  return {
    call: name,
    ...{ least, latency },
    against: isPlain ? undefined : GROUPS.some((group) => group.includes(load) && group.includes(GET)) ? "GET" : "PUT",
    perSecond: of(({ counted }) => counted.perSecond),
    p50Ms: of(({ counted }) => counted.p50Ms),
    p99Ms: of(({ counted }) => counted.p99Ms),
    maxMs: of(({ counted }) => counted.maxMs),
    ratio: of(({ counted, plain }) => counted.perSecond / plain.perSecond),
    latencyRatio: latency && of(({ counted, plain }) => counted[latency.of] / plain.p99Ms),
    p99Ratio: of(({ counted, plain }) => counted.p99Ms / plain.p99Ms),
    right: sum(({ right }) => right),
    wrong: sum(({ wrong, turnedAway }) => wrong + turnedAway),
    wrongs,
    generatorMicroseconds: of(({ generatorMicroseconds }) => generatorMicroseconds),
    rounds,
  };
}

type Summary = ReturnType<typeof summary>;

function judge(calls: Summary[]): Bar[] {
  const each = calls.flatMap(({ call, least, latency, against, ratio, latencyRatio }) => {
    // Nothing is asked of plain DELETE, which is no other write than a PUT.
    if (!against || call === kinds.DELETE.name) return [];
    return [
      atLeast(`${call}, calls/s against ${against}`, least, ratio),
      ...(latency
        ? [
            atMost(
              `${call}, ${latency.of === "maxMs" ? "slowest" : "p99"} against ${against}'s p99`,
              latency.most,
              latencyRatio ?? Number.NaN,
            ),
          ]
        : []),
    ];
  });
  return [
    ...each,
    none(
      "wrong answers and errors, all kinds",
      calls.reduce((all, { wrong }) => all + wrong, 0),
    ),
  ];
}

function callTable(calls: Summary[]): string {
  const head = ["Call", "calls/s", "p50 ms", "p99 ms", "slowest ms", "÷ PUT or GET", "p99 ÷", "right", "wrong"];
  return table(
    [...head, "generator µs/call"],
    calls.map((each) => [
      each.call,
      ...[each.perSecond, each.p50Ms, each.p99Ms, each.maxMs].map(figure),
      ...(each.against ? [figure(each.ratio), figure(each.p99Ratio)] : ["–", "–"]),
      ...[each.right, each.wrong, each.generatorMicroseconds].map(figure),
    ]),
  );
}
