// One fault from beginning to end: calls before, while and after it happens, what they come to, and whether it was right.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { deadlocks } from "../../bench/deadlocks.ts";
import { shardAt, wholeMap } from "../../src/database/shards.ts";
import { entryKey } from "../../src/store/store.ts";
import { CheckedLists } from "../checked-lists.ts";
import { check, type Findings } from "./checker.ts";
import { type Figures, figuresOf } from "./figures.ts";
import { nowUs, writeHistory } from "./history.ts";
import { NAMESPACE } from "./requests.ts";
import type { Fault, Rig } from "./rig.ts";
import { type Profile, Traffic } from "./traffic.ts";

/** How long calls are made before a fault and after it. */
export interface Times {
  beforeMs: number;
  afterMs: number;
}

export interface Judgement extends Figures {
  name: string;
  title: string;
  seconds: number;
  findings: Findings;
  /** Whole listings, and deletions by prefix, and what was wrong with them. */
  lists: { listings: number; deletions: number; complaints: string[] };
  /** InnoDB's, over all MySQL servers. */
  deadlocks: number;
  /** What was wrong, in words; nothing where all is well. */
  complaints: string[];
  /** What is no violation of a promise: that something took longer than expected, or needed more than `cluster up`. */
  notes: string[];
}

/** A database refuses only what this program has no business to send. */
const EXPECTED_ERRORS = new Set([
  "unavailable",
  "overloaded",
  "outcome_unknown",
  "refused",
  "connection_lost",
  "timeout",
]);
const EXAMPLES = 5;

/** Does the fault under load and judges what clients saw of it; histories that are wrong stay in the folder. */
export async function judge(
  rig: Rig,
  fault: Fault,
  { profile, seed, times, outDir }: { profile: Profile; seed: number; times: Times; outDir: string },
  signal: AbortSignal,
): Promise<Judgement> {
  await rig.arrange(fault.zoned ?? false);
  const { shards } = await rig.status();
  const deadlocksBefore = await deadlocks(await rig.status());
  const shardOf = shardMap(shards);
  const ports = rig.servers.map(({ port }) => port);
  const begun = nowUs();
  // A fault may be done more than once, each time with a seed of its own.
  const name = `${fault.name}-${seed}`;
  const { readers, withoutTtls, zoned: stay } = fault;
  const traffic = new Traffic({ ports, stay, readers, withoutTtls, profile, seed, prefix: name, shards, shardOf });
  const urls = rig.servers.map(({ url }) => url);
  const lists = new CheckedLists({ urls, namespace: `lists-${name}`, mayFail: true });
  let during: { from: number; to: number };
  let notes: string[];
  try {
    await rig.pause(times.beforeMs, signal);
    const from = nowUs();
    await fault.run(rig, signal);
    notes = await rig.mend();
    during = { from, to: nowUs() };
    await rig.pause(times.afterMs, signal);
  } finally {
    await Promise.all([traffic.stop(), lists.stop()]);
  }
  const ended = nowUs();
  const about = fault.scope === "shard" ? rig.shard : undefined;
  const figures = figuresOf(traffic.calls, shards, { from: begun, to: ended }, during, about);
  await traffic.audit();
  mkdirSync(outDir, { recursive: true });
  const file = join(outDir, `${name}.jsonl`);
  writeHistory(file, traffic.calls);
  const findings = await check(file, outDir, signal);
  const found = Math.max(0, (await deadlocks(await rig.status())) - deadlocksBefore);
  return {
    name: fault.name,
    title: fault.title,
    seconds: Math.round((ended - begun) / 1e6),
    ...figures,
    findings,
    lists: { listings: lists.listings, deletions: lists.deletions, complaints: lists.complaints },
    deadlocks: found,
    complaints: [...complaintsOf(fault, figures, findings, found), ...lists.complaints.slice(0, EXAMPLES)],
    notes: [...notes, ...slownessOf(fault, figures, about)],
  };
}

function complaintsOf({ expect }: Fault, { errors }: Figures, findings: Findings, deadlocks: number): string[] {
  const { illegal, violations } = findings;
  const unexpected = Object.keys(errors).filter((code) => expect?.noFailedCalls || !EXPECTED_ERRORS.has(code));
  return [
    ...violations.slice(0, EXAMPLES).map(({ kind, key, detail }) => `${kind}: ${key}: ${detail}`),
    ...(illegal.length > 0 ? [`not linearizable: ${illegal.slice(0, EXAMPLES).join(", ")}`] : []),
    ...unexpected.map((code) => `${errors[code]} calls failed with ${code}`),
    ...(deadlocks > 0 ? [`${deadlocks} deadlocks`] : []),
  ];
}

function slownessOf({ expect }: Fault, { withoutWriteMs }: Figures, about?: string): string[] {
  const most = expect?.writesResumeWithinMs ?? Number.POSITIVE_INFINITY;
  return Object.entries(withoutWriteMs)
    .filter(([shard, ms]) => (about === undefined || shard === about) && ms > most)
    .map(([shard, ms]) => `${ms} ms without a write in ${shard}, not ${most}`);
}

/** The shard of a key as the store computes it, for shards that stay as they are now. */
function shardMap(names: string[]): (key: string) => string {
  const shards = wholeMap(names);
  if (!shards) throw new Error(`The shards ${names.join(", ")} are not a whole keyspace.`);
  const keyspaceId = Buffer.alloc(8);
  return (key) => {
    keyspaceId.writeBigUInt64LE(Bun.hash.xxHash64(entryKey(NAMESPACE, key)));
    return shardAt(shards, keyspaceId.readBigUInt64BE()).name;
  };
}
