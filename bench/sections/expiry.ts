// Expiry: a million keys that expire at once, and a steady stream of TTLs.

import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { atLeast, atMost, barTable, none } from "../bars.ts";
import { DEADLOCKS, deadlocks } from "../deadlocks.ts";
import { RATE as MASS_RATE, massExpiry, massTable, ROWS, slowdown } from "../expiry/mass.ts";
import { RATE, steadyExpiry } from "../expiry/steady.ts";
import { type Findings, figure, packageVersion } from "../report.ts";
import type { Rig } from "../rig.ts";

export async function expiry(rig: Rig): Promise<Findings> {
  const cluster = await rig.cluster();
  await rig.makeTable();
  const before = await deadlocks(cluster);
  const mass = await massExpiry(rig);
  await rig.stopServers();
  const steady = await steadyExpiry(rig);
  const windows = [...mass.calm, ...mass.sweeping];
  const bars = [
    none(`answers that showed one of ${figure(ROWS)} keys after its time, or hid it before`, mass.seen.wrong),
    atLeast("rows reclaimed/s a shard without calls", 5_000, mass.alone.rowsPerSecondAndShard),
    atMost("reads, p99 while rows are reclaimed against while nobody sweeps", 1.25, slowdown(mass, "reads")),
    atMost("writes, p99 while rows are reclaimed against while nobody sweeps", 1.25, slowdown(mass, "writes")),
    atMost("seconds that a replica was behind", 5, Math.max(...mass.samples.map(({ lagSeconds }) => lagSeconds))),
    atMost(`steady: seconds from an expiry until its row was reclaimed, the latest`, 60, steady.oldestAgeMs / 1000),
    atMost("steady: age of the oldest row, last third of the time against the middle one", 1.25, steady.growth),
    none(
      "errors, and wrong answers to other calls",
      [...windows, steady].reduce((all, { errors, violations }) => all + errors + violations, mass.seen.failed),
    ),
    none(`${DEADLOCKS}, with this store's sweep`, (await deadlocks(cluster)) - before),
  ];
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `The load simulator beside it all at a fixed rate, every answer checked, latencies from when a call was due. ${figure(ROWS)} keys that expire in one millisecond: ${figure(mass.seen.before)} reads of them before and ${figure(mass.seen.after)} after, and then ${MASS_RATE} calls/s on other keys, half of them PUTs, to a server that does not sweep and to one that does, in turns; ratios are of medians over all turns. The rest was reclaimed without calls. Steady: ${figure(steady.writesPerSecond)} PUTs/s of ${figure(RATE)} with TTLs for ${steady.seconds} s.`,
    data: { mass, steady, bars },
    markdown: [
      ...[`## ${figure(ROWS)} keys at once`, massTable(mass)],
      `Beside ${MASS_RATE} calls/s: ${figure(mass.rowsPerSecondAndShard)} rows/s a shard. Without calls, the ${figure(mass.alone.rows)} rows that were left: ${figure(mass.alone.rowsPerSecondAndShard)} rows/s a shard.`,
      ...["## Bars", barTable(bars)],
    ].join("\n\n"),
  };
}
