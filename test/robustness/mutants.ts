// Stores that are broken on purpose, to see that it is noticed: a text of a source file is replaced while it is loaded.
// There is no switch for this in the store.

import { join } from "node:path";
import { LOAD } from "./faults/load.ts";
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
  /** Whether one of the servers loses its connections to vtgate before the answers to writes. */
  loses?: boolean;
}

const NOTHING: Profile["weights"] = {
  get: 0,
  head: 0,
  ttl: 0,
  put: 0,
  put_ttl: 0,
  keep: 0,
  create: 0,
  cas: 0,
  delete: 0,
  expire: 0,
  persist: 0,
  increment: 0,
};

export const MUTANTS: Mutant[] = [
  {
    name: "consolidator",
    title: "primaries give a read the result of an equal one that has begun earlier",
    replacements: [
      {
        file: "vitess/topology.ts",
        text: '"--enable-consolidator-replicas=true"',
        by: '"--enable-consolidator=true"',
      },
      // Not wrong, but slow, as from a cold disk: so there is time for a write between two equal reads.
      {
        file: "src/store/sql.ts",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a text of that file
        text: "${wanted} AS value FROM",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the same
        by: "${wanted} AS value, SLEEP(0.03) FROM",
      },
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
      {
        file: "src/store/sql.ts",
        text: 'error.code === "unavailable"',
        by: '(error.code === "unavailable" || error.code === "outcome_unknown")',
      },
      // Not wrong either: time for others to write in between.
      { file: "src/store/sql.ts", text: "{ first: 10, most: 250 }", by: "{ first: 100, most: 250 }" },
    ],
    profile: {
      ...PROFILE,
      pauseMs: 60,
      keys: { hot: 2, many: 1 },
      hotShare: 1,
      weights: { ...NOTHING, get: 50, put: 40, cas: 10 },
    },
    fault: LOAD,
    loses: true,
  },
  {
    name: "sweep",
    title: "the sweep deletes what it has found expired without looking again",
    replacements: [
      {
        file: "src/store/sql.ts",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a text of that file
        text: "` AND ${IS_EXPIRED}`",
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
];

/** What makes the cluster and the servers the mutant. */
export function environmentOf({ replacements }: Mutant): RigOptions["environment"] {
  return {
    BUN_OPTIONS: `--preload=${join(import.meta.dirname, "mutate.ts")}`,
    TEST_MUTATIONS: JSON.stringify(replacements),
  };
}
