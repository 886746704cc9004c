// The shortest of the faults that `npm run robustness` is about: a primary is killed, and the shard is split, under load.
// No promise may be broken; how long it takes is not judged.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { ROBUSTNESS_DIR } from "./folders.ts";
import { SPLIT } from "./robustness/faults/reshard.ts";
import { KILL_PRIMARY } from "./robustness/faults/tablets.ts";
import { judge } from "./robustness/judge.ts";
import { Rig } from "./robustness/rig.ts";
import { PROFILE } from "./robustness/traffic.ts";

// Three tablets, or the shard could not go on without one of them.
const rig = new Rig({ dataDir: ROBUSTNESS_DIR, portBase: 18800, shards: 1, tablets: 3 });
const outDir = `${ROBUSTNESS_DIR}-histories`;
const TIMES = { beforeMs: 1_000, afterMs: 1_000 };
const CALLS = 500;
/** Of one fault, with what has to be mended after it, on a machine that is slow. */
const MOST_MS = 400_000;

beforeAll(() => rig.open());
afterAll(async () => {
  await rig.close();
  rmSync(outDir, { recursive: true, force: true });
});

test.each([KILL_PRIMARY, SPLIT])(
  "nothing is lost, doubled or false: $title",
  async (fault) => {
    const options = { profile: PROFILE, seed: 1, times: TIMES, outDir };
    const { complaints, calls, findings } = await judge(rig, fault, options, AbortSignal.timeout(MOST_MS));
    expect(complaints).toEqual([]);
    expect(findings.illegal).toEqual([]);
    expect(calls).toBeGreaterThan(CALLS);
  },
  MOST_MS,
);
