// This version beside the one before, which KV_BENCH_BEFORE names: the median latency of each kind of call on one
// connection, which is measured of this one alone too, and GET and PUT over many.

import { step } from "../../vitess/support/progress.ts";
import { none } from "../bars.ts";
import { figure, table } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS } from "../system.ts";
import { type Driven, drive } from "./drive.ts";
import { GET, KINDS, type Kind, PUT } from "./kinds.ts";
import { CONNECTIONS, idleCluster, medianOf, type Part, type Version } from "./part.ts";
import { Script } from "./script.ts";

/** At least, and even, so that each version comes first as often as the other. */
const ROUNDS = 4;
const ALONE = {
  /** Of a measurement's length. */
  share: 0.2,
  warmupSeconds: 0.2,
  keys: 1_000,
  /** More than one connection uses up in a second. */
  spentPerSecond: 1_500,
};

type Rounds = Record<Version["name"], Driven[]>;
type Make = (kind: Kind, version: Version, namespace: string) => Promise<Driven>;

/** The median latency of each kind, on one connection. */
export async function alone(rig: Rig, versions: Version[]): Promise<Part> {
  const seconds = Math.max(0.5, rig.options.seconds * ALONE.share);
  const { warmupSeconds } = ALONE;
  const spent = Math.ceil((seconds + warmupSeconds) * ALONE.spentPerSecond);
  const idle = await idleCluster(rig);
  const results = await alternate(rig, "1 connection", KINDS, versions, (kind, { url }, namespace) => {
    const calls = new Script({ namespace, kinds: [kind], keys: kind.keys === "spent" ? spent : ALONE.keys });
    return drive({ url, calls, connections: 1, seconds, warmupSeconds, idle }, rig.signal);
  });
  const rows = results.map(({ kind, rounds }) => compared(kind, rounds, ({ all }) => all.p50Ms));
  const wrong = results
    .flatMap(({ rounds }) => Object.values(rounds).flat())
    .reduce((all, each) => all + each.wrong + each.turnedAway, 0);
  const markdown = versionTable("median ms", rows, versions);
  const bars = [none("wrong answers and errors, all kinds on one connection", wrong)];
  return { data: { alone: rows }, bars, markdown };
}

/** GET and PUT over many connections, where there are two versions. */
export async function beforeAndNow(rig: Rig, versions: Version[]): Promise<Part> {
  const { seconds, warmupSeconds } = rig.options;
  const idle = await idleCluster(rig);
  const title = `${CONNECTIONS} connections`;
  const results = await alternate(rig, title, [GET, PUT], versions, async (kind, { url }, namespace) => {
    await idle();
    const calls = new Script({ namespace, kinds: [kind], keys: KEYS });
    return await drive({ url, calls, connections: CONNECTIONS, seconds, warmupSeconds, idle }, rig.signal);
  });
  const rows = results.flatMap(({ kind, rounds }) => [
    compared(kind, rounds, ({ all }) => all.perSecond, ", calls/s"),
    compared(kind, rounds, ({ all }) => all.p99Ms, ", p99 ms"),
  ]);
  return { data: { versions: rows }, bars: [], markdown: versionTable("", rows, versions) };
}

async function alternate(rig: Rig, title: string, kinds: Kind[], versions: Version[], make: Make) {
  const all = kinds.map((kind) => ({ kind, rounds: { now: [], before: [] } as Rounds }));
  const count = Math.max(ROUNDS, rig.options.rounds);
  for (let round = 1; round <= count; round++) {
    await step(`${title}, round ${round} of ${count}`, async (report) => {
      for (const { kind, rounds } of all) {
        for (const version of round % 2 === 1 ? versions : versions.toReversed()) {
          report(`${kind.name}, ${version.name}`);
          const namespace = `${title.replace(/\W/g, "-")}-${kind.name.replace(/\W/g, "-")}-${round}-${version.name}`;
          rounds[version.name].push(await make(kind, version, namespace));
        }
      }
    });
  }
  return all;
}

/** One figure of both versions, and the median of their ratios, round by round. */
function compared(kind: Kind, { now, before }: Rounds, field: (driven: Driven) => number, what = "") {
  const pairs = before.map((driven, i) => field(now[i] as Driven) / field(driven));
  return {
    call: `${kind.name}${what}`,
    now: medianOf(now, field),
    ...(before.length > 0 && { before: medianOf(before, field), ratio: medianOf(pairs, (ratio) => ratio) }),
    rounds: { now: now.map(field), before: before.map(field) },
  };
}

function versionTable(what: string, rows: ReturnType<typeof compared>[], versions: Version[]): string {
  const both = versions.length > 1;
  return table(
    ["Call", ...(both ? [`${what} before`, `${what} now`, "now ÷ before"] : [what])].map((title) => title.trim()),
    rows.map(({ call, now, before, ratio }) => [call, ...(both ? [before, now, ratio] : [now]).map(figure)]),
  );
}
