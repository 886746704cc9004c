// Expiry: ways to reclaim rows side by side, a million keys that expire at once, a steady stream of TTLs, and what a TTL
// costs on disk.

import { VITESS_VERSION } from "../../vitess/topology.ts";
import { atLeast, atMost, barTable, none } from "../bars.ts";
import { DEADLOCKS, deadlocks } from "../deadlocks.ts";
import { drainRate, massExpiry, massTable, ROWS, slowdown } from "../expiry/mass.ts";
import { measureSizes, sizeTable } from "../expiry/size.ts";
import { RATE, steadyExpiry } from "../expiry/steady.ts";
import { compareStrategies, strategyTable } from "../expiry/strategies.ts";
import { type Findings, figure, packageVersion } from "../report.ts";
import type { Rig } from "../rig.ts";

export async function expiry(rig: Rig): Promise<Findings> {
  const cluster = await rig.cluster();
  // Makes the table.
  await rig.startServer({ KV_SWEEP: "false" });
  await rig.stopServers();
  const sizes = await measureSizes(rig);
  const strategies = await compareStrategies(rig);
  const before = await deadlocks(cluster);
  const mass = await massExpiry(rig);
  await rig.stopServers();
  const steady = await steadyExpiry(rig);
  const windows = mass.rounds.flatMap((round) => [round.without, round.with]);
  const bars = [
    none(`answers that showed one of ${figure(ROWS)} keys after its time, or hid it before`, mass.reads.wrong),
    atLeast("rows reclaimed/s a shard, under load", 5_000, drainRate(mass.rounds)),
    atMost("reads, p99 with the sweep against without", 1.25, slowdown(mass.rounds, "reads")),
    atMost("writes, p99 with the sweep against without", 1.25, slowdown(mass.rounds, "writes")),
    atMost("seconds that a replica was behind", 5, Math.max(...mass.samples.map(({ lagSeconds }) => lagSeconds))),
    atMost(`steady: seconds from an expiry until its row was reclaimed, the latest`, 60, steady.oldestAgeMs / 1000),
    atMost("steady: backlog of the last third of the time against the middle one", 1.25, steady.backlogGrowth),
    none(
      "errors, and wrong answers to other calls",
      [...windows, steady].reduce((all, { errors, violations }) => all + errors + violations, mass.reads.failed),
    ),
    none(`${DEADLOCKS}, with this store's sweep`, (await deadlocks(cluster)) - before),
  ];
  return {
    versions: { vitess: VITESS_VERSION, mysql2: packageVersion("mysql2") },
    method: `The load simulator beside it all at a fixed rate, every answer checked, latencies from when a call was due. Strategies: 300,000 expired rows each and 1,000 calls/s with TTLs from 200 ms to 5 s. ${figure(ROWS)} keys that expire in one millisecond: ${figure(mass.reads.before)} reads of them before and ${figure(mass.reads.after)} after, and windows of the same 1,000 calls/s on other keys, half of them PUTs, on a server without and one with the sweep in turns; ratios are the median of the rounds. Steady: ${figure(steady.writesPerSecond)} PUTs/s of ${figure(RATE)} with TTLs for ${steady.seconds} s.`,
    data: { sizes, strategies, mass, steady, bars },
    markdown: [
      ...["## Strategies", strategyTable(strategies)],
      ...[`## ${figure(ROWS)} keys at once`, massTable(mass.rounds)],
      ...(mass.alone.rows > 0
        ? [`Of the rest, ${figure(mass.alone.rows)} rows: ${figure(mass.alone.perSecondAndShard)} rows/s a shard.`]
        : []),
      ...["## On disk", sizeTable(sizes)],
      ...["## Bars", barTable(bars)],
    ].join("\n\n"),
  };
}
