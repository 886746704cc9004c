// Every kind of call on one server, in one run: beside plain PUT and GET under load, all on one key, each on one
// connection, a mix of all at three times what can be done, and the load simulator's workloads that are not plain.
//
// With KV_BENCH_BEFORE=/path/to/another/checkout/src/server.ts that version serves the same cluster too. One connection,
// and GET and PUT under load, are then measured on both versions in turns, round by round, and the tables show both with
// their ratio: the machine's speed changes from minute to minute, so figures of two runs say little about two versions.
// The versions must understand one schema, which is that of the newer one, and each has its dependencies installed.

import { step } from "../../vitess/support/progress.ts";
import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { barTable, none } from "../bars.ts";
import { CONNECTIONS, type Part, type Version } from "../calls/part.ts";
import { underLoad } from "../calls/under-load.ts";
import { alone, beforeAndNow } from "../calls/versions.ts";
import { DEADLOCKS, deadlocks } from "../deadlocks.ts";
import { type Findings, figure, packageVersion } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS, VALUE_BYTES } from "../system.ts";

export async function calls(rig: Rig): Promise<Findings> {
  const { seconds, warmupSeconds, rounds } = rig.options;
  const cluster = await rig.cluster();
  const deadlocksBefore = await deadlocks(cluster);
  const versions = await step("servers", () => startVersions(rig));
  const { url } = versions.at(-1) as Version;
  const parts: [title: string, part: Part][] = [];
  parts.push([`${figure(CONNECTIONS)} connections`, await underLoad(rig, url)]);
  parts.push(["One connection", await alone(rig, versions)]);
  if (versions.length > 1) parts.push(["Before and now", await beforeAndNow(rig, versions)]);
  const found = (await deadlocks(cluster)) - deadlocksBefore;
  const bars = [...parts.flatMap(([, part]) => part.bars), none(DEADLOCKS, found)];
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `Values of ${VALUE_BYTES} bytes under ${figure(KEYS)} keys, chosen uniformly at random of those without a call under way; all calls by the load simulator's generator in one process on the same cores. Each kind measured for ${seconds} s after ${warmupSeconds} s of warm-up, right before or after the plain PUT or GET that it is held against${rounds > 1 ? `; the median of ${rounds} rounds` : ""}. One connection: medians of at least four rounds.`,
    data: { ...Object.assign({}, ...parts.map(([, part]) => part.data)), bars },
    markdown: [...parts.flatMap(([title, part]) => [`## ${title}`, part.markdown]), "## Bars", barTable(bars)].join(
      "\n\n",
    ),
  };
}

async function startVersions(rig: Rig): Promise<Version[]> {
  const program = process.env.KV_BENCH_BEFORE;
  const now = await rig.startServer();
  if (!program) return [{ name: "now", url: now.url }];
  const before = await rig.startServer({}, program);
  return [
    { name: "before", url: before.url },
    { name: "now", url: now.url },
  ];
}
