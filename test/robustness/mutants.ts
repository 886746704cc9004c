// Stores that are broken on purpose, to see that it is noticed: a text of a source file is replaced while it is loaded.
// There is no switch for this in the store.

import { join } from "node:path";
import { LOAD } from "./faults/load.ts";
import { PART_VTGATE } from "./faults/partition.ts";
import type { Replacement } from "./mutate.ts";
import type { Fault, RigOptions } from "./rig.ts";
import { PROFILE, type Profile } from "./traffic.ts";

export interface Mutant {
  name: string;
  /** What is wrong with it. */
  title: string;
  replacements: Replacement[];
  /** Traffic that meets what is wrong soon. */
  profile: Profile;
  fault: Fault;
  /** A text of statements before whose answers one of the servers loses its connection to vtgate, now and then. */
  loses?: string;
}

const NOTHING: Profile["weights"] = {
  get: 0,
  recall: 0,
  head: 0,
  ttl: 0,
  put: 0,
  put_ttl: 0,
  keep: 0,
  create: 0,
  cas: 0,
  delete: 0,
  release: 0,
  expire: 0,
  expire_if: 0,
  persist: 0,
  increment: 0,
  swap: 0,
  batch: 0,
  peek: 0,
};

/** Few keys and short pauses, so that clients meet, in batches of one row and of several. */
const CROWD: Profile = { ...PROFILE, pauseMs: 20, keys: { hot: 3, many: 1 }, hotShare: 1, roundMs: 1_000 };

/** Clients that read what others write, on both sides of a partition. */
const READERS: Profile = {
  ...PROFILE,
  pauseMs: 20,
  keys: { hot: 3, many: 1 },
  hotShare: 1,
  weights: { ...NOTHING, get: 70, put: 30 },
};

const STATEMENTS = "src/database/statements.ts";
const WRITES = "src/batching/writes.ts";

export const MUTANTS: Mutant[] = [
  {
    name: "consolidator",
    title: "primaries give a read the result of an equal one that has begun earlier",
    replacements: [
      {
        file: "vitess/topology/topology.ts",
        text: '"--enable-consolidator-replicas=true"',
        by: '"--enable-consolidator=true"',
      },
      // Not wrong, but slow, as from a cold disk: so there is time for a write between two equal reads.
      { file: STATEMENTS, text: "LEFT(value, ?) AS value FROM", by: "LEFT(value, ?) AS value, SLEEP(0.03) FROM" },
    ],
    profile: {
      ...PROFILE,
      keys: { hot: 1, many: 1 },
      hotShare: 1,
      weights: { ...NOTHING, get: 80, put: 20 },
    },
    fault: LOAD,
  },
  {
    name: "retry",
    title: "a write is sent again though it may have happened",
    replacements: [
      { file: WRITES, text: "if (!isUnknown(error) || !(await wasDone())) return", by: "return" },
      {
        file: "src/batching/batch.ts",
        text: 'if (code === "unavailable" && !isFinal)',
        by: 'if (code === "unavailable" || code === "outcome_unknown")',
      },
      // Not wrong either: time for others to write in between.
      { file: "src/batching/lane.ts", text: "{ first: 10, most: 250 }", by: "{ first: 100, most: 250 }" },
    ],
    profile: {
      ...PROFILE,
      pauseMs: 60,
      keys: { hot: 2, many: 1 },
      hotShare: 1,
      weights: { ...NOTHING, get: 50, put: 40, cas: 10 },
    },
    fault: LOAD,
    loses: "INSERT",
  },
  {
    name: "look-back",
    title: "a change whose answer was lost is taken for one that did not happen",
    replacements: [
      { file: WRITES, text: "waiting.guardInDoubt = plan.change.guard?.revision;", by: "waiting.tried = [];" },
    ],
    profile: { ...CROWD, weights: { ...NOTHING, get: 30, put: 10, keep: 20, cas: 30, release: 5, expire_if: 5 } },
    fault: LOAD,
    loses: "expires_at <=>",
  },
  {
    name: "increment",
    title: "an increment whose answer was lost is made once more",
    replacements: [
      {
        file: WRITES,
        text: "waiting.guardInDoubt = plan.change.guard?.revision;",
        by: 'if (waiting.write.kind === "increment") waiting.tried = []; else waiting.guardInDoubt = plan.change.guard?.revision;',
      },
    ],
    // No more than this, because what is unknown of a counter makes its check take longer than anything else.
    profile: { ...CROWD, pauseMs: 100, weights: { ...NOTHING, increment: 60, get: 10 } },
    fault: LOAD,
    loses: "expires_at <=>",
  },
  {
    name: "guard",
    title: "a change is made whether or not its row still is what was read",
    replacements: [
      {
        file: STATEMENTS,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a text of that file
        text: 'AND version = ? AND expires_at <=> ? AND ${notLate("?")}`',
        by: "AND (TRUE OR version = ? OR expires_at <=> ? OR ?)`",
      },
      {
        file: STATEMENTS,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the same
        text: ' AND entries.version = fresh.guard AND entries.expires_at <=> fresh.expiry AND ${notLate("fresh.lives")}',
        by: "",
      },
      {
        file: STATEMENTS,
        text: 'const LEAVE = "ON DUPLICATE KEY UPDATE version = entries.version"',
        by: "const LEAVE = REPLACE",
      },
      {
        file: STATEMENTS,
        text: 'return { name: "create", sql, params, writes: true, tag: "id" }',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the same
        by: 'return { name: "create", sql: `${sql} ${LEAVE}`, params, writes: true, tag: "id" }',
      },
    ],
    profile: { ...CROWD, weights: { ...NOTHING, get: 20, create: 20, cas: 30, keep: 10, delete: 10, release: 10 } },
    fault: LOAD,
  },
  {
    name: "fold",
    title: "the writes of a key in one batch are each decided on the row that was read",
    replacements: [
      {
        file: WRITES,
        text: "decide(row, waiting.write as Write, clockMs)",
        by: "decide(before, waiting.write as Write, clockMs)",
      },
    ],
    // Another order than that of their arrival alone would not be wrong, because their callers are concurrent.
    profile: { ...CROWD, weights: { ...NOTHING, get: 20, create: 30, cas: 30, delete: 10, release: 10 } },
    fault: LOAD,
  },
  {
    name: "sweep",
    title: "the sweep deletes what it has found expired without looking again",
    replacements: [
      {
        file: STATEMENTS,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a text of that file
        text: "` AND expires_at <= ${CLOCK}`",
        by: '""',
      },
    ],
    // Entries that expire soon and are written again soon after.
    profile: {
      ...PROFILE,
      pauseMs: 40,
      keys: { hot: 1, many: 30 },
      hotShare: 0,
      ttlMs: { least: 20, most: 60 },
      weights: { ...NOTHING, get: 30, put: 30, put_ttl: 30, create: 10 },
    },
    fault: LOAD,
  },
  {
    name: "lease",
    title: "a read is told however long ago its primary was known to be one",
    replacements: [
      {
        file: "src/terms/terms.ts",
        text: "return receivedAt < this.provenAt(tag)",
        by: "return receivedAt > 0 || receivedAt < this.provenAt(tag)",
      },
    ],
    profile: READERS,
    fault: PART_VTGATE,
  },
  {
    name: "wait",
    title: "a server tells at once what a primary answers that it has not seen before",
    replacements: [
      { file: "src/terms/guard.ts", text: "let { holdMs } = this.options;", by: "let holdMs = 0;" },
      { file: "src/terms/guard.ts", text: "if (mark) holdMs = Math.max(holdMs, mark.leaseMs);", by: "" },
      // Not wrong: without a wait nothing stale is read if leases are over before another primary is elected.
      { file: "src/config.ts", text: "whole(0, 60_000).default(2_000)", by: "whole(0, 60_000).default(20_000)" },
    ],
    profile: READERS,
    fault: PART_VTGATE,
  },
];

/** What makes the cluster and the servers the mutant. */
export function environmentOf({ replacements }: Mutant): RigOptions["environment"] {
  return {
    BUN_OPTIONS: `--preload=${join(import.meta.dirname, "mutate.ts")}`,
    TEST_MUTATIONS: JSON.stringify(replacements),
  };
}
