// The answer as Markdown tables, which read well in a terminal too.

import { figure, table } from "../report.ts";
import type { Answer } from "./answer.ts";
import type { Limit } from "./concurrency.ts";
import { bytes, dollars, duration, ranged } from "./format.ts";
import type { Range } from "./spread.ts";
import type { Design, Target } from "./target.ts";

const TOP = 3;

export function tables(answer: Answer): string {
  const { target, design } = answer;
  return [
    `# Capacity: ${sentence(target, design)}`,
    "Ranges hold 90 of 100 draws of what was measured; what is assumed stays at its value, see the sensitivities.",
    capacityTable(answer),
    "## Dollars a month",
    dollarTable(answer),
    "## What a million concurrent calls can mean",
    meaningTable(answer),
    limitTable(answer),
    "## Chokepoints, in the order in which a store meets them that grows evenly to this target",
    chokepointTable(answer),
    "## What moves the cost most",
    effectTable(answer),
    "## What each decision costs, against its alternative",
    decisionTable(answer),
    "## The same load elsewhere",
    alternativeTable(answer),
  ].join("\n\n");
}

function sentence(target: Target, design: Design): string {
  const meaning = {
    "in-flight": `calls in flight at ${figure(target.latencySeconds * 1000)} ms`,
    connections: "connections",
    "per-second": "calls a second",
  }[target.meaning];
  const parts = [
    `${figure(target.calls)} ${meaning}`,
    `${bytes(target.dataBytes)} in values of ${bytes(target.valueBytes)}`,
    `${figure(100 * target.reads)}% reads`,
    `${figure(100 * target.ttlShare)}% of writes with a TTL`,
    `${design.replicas} tablets a shard`,
    `routing ${design.routing}`,
  ];
  return parts.join(", ");
}

function capacityTable({ ranges, capacity }: Answer): string {
  const shown = (path: string, show?: (value: number) => string) => ranged(ranges[path] as Range, show);
  const seconds = (path: string) => shown(path, duration);
  const rate = (path: string) => shown(path, (value) => `${bytes(value)}/s`);
  const binding = (of: Record<string, number>) => Object.entries(of).sort((a, b) => b[1] - a[1])[0]?.[0];
  const { byCores, byMemory, byDisk, byNetwork } = capacity.hosts;
  const rows: [string, string][] = [
    ["calls/s", shown("traffic.callsPerSecond")],
    ["calls in flight", shown("traffic.inFlight")],
    ["rows", shown("storage.rows")],
    ["bytes of a row in the table", shown("storage.rowBytes")],
    ["bytes of a row in the index of expiries", shown("storage.indexBytes")],
    ["one copy of all rows", shown("storage.replicaBytes", bytes)],
    ["disk, all tablets, with what stays free", shown("storage.diskBytes", bytes)],
    ["of it binary logs", shown("storage.logBytes", bytes)],
    ["object store: backups", shown("storage.objectBytes", bytes)],
    ["shards by storage", shown("shards.byStorage")],
    ["shards by calls", shown("shards.byCalls")],
    [
      "**shards**",
      `${shown("shards.count")}, by ${capacity.shards.byStorage >= capacity.shards.byCalls ? "storage" : "calls"}`,
    ],
    ["calls/s a shard", shown("shards.callsPerSecond")],
    ["calls in flight a shard", shown("shards.inFlight")],
    ["rows of a reading, a writing statement", `${shown("traffic.readRows")}, ${shown("traffic.writeRows")}`],
    ["tablets", shown("tablets")],
    ["server processes", shown("traffic.serverProcesses")],
    ["slices of servers and shards", shown("traffic.slices")],
    ["vtgates", shown("gates")],
    ["cores: servers", shown("cores.servers")],
    ["cores: vtgates", shown("cores.gates")],
    ["cores: tablets", shown("cores.tablets")],
    ["cores: vtorc and etcd", shown("cores.watching")],
    ["**cores**", shown("cores.total")],
    ["**memory**", shown("memoryGb.total", (gb) => bytes(gb * 1e9))],
    [
      "**machines for tablets**",
      `${shown("hosts.tablets")}, by ${binding({ cores: byCores, memory: byMemory, disk: byDisk, network: byNetwork })}`,
    ],
    ["machines for all else", shown("hosts.others")],
    ["health streams", shown("topology.healthStreams")],
    ["health messages/s", shown("topology.healthMessagesPerSecond")],
    ["etcd: tablets' records read", shown("topology.topoReadMbps", (mb) => `${bytes(mb * 1e6)}/s`)],
    ["vtorcs", shown("topology.vtorcs")],
    ["network: callers", rate("network.callers")],
    ["network: statements", rate("network.statements")],
    ["network: replication", rate("network.replication")],
    ["network: backups", rate("network.backup")],
    ["network: between zones", rate("network.betweenZones")],
    ["rows expiring/s a shard", shown("expiry.rowsPerSecondAndShard")],
    ["of what the sweep can reclaim", shown("expiry.ofWhatTheSweepCan", (share) => `${figure(100 * share)}%`)],
    ["copying one shard", seconds("reshard.perShard")],
    ["copying 1 TB, one shard after the other", seconds("reshard.perTb")],
  ];
  return table(["", "value (range)"], rows);
}

function dollarTable({ ranges }: Answer): string {
  const parts = ["nvme", "memory", "network", "cores", "objects", "total"];
  return table(
    ["For", "dollars a month (range)"],
    parts.map((part) => [part, ranged(ranges[`dollars.${part}`] as Range, dollars)]),
  );
}

function meaningTable({ meanings }: Answer): string {
  return table(
    [
      "A million …",
      "calls/s",
      "in flight, idle store's latency",
      "in flight, target's latency",
      "servers",
      "cores",
      "dollars a month",
    ],
    meanings.map(({ words, callsPerSecond, inFlightAlone, inFlightTarget, serverProcesses, cores, dollars: cost }) => [
      words,
      ...[callsPerSecond, inFlightAlone, inFlightTarget, serverProcesses, cores].map(figure),
      dollars(cost),
    ]),
  );
}

function limitTable({ meanings }: Answer): string {
  const names = meanings[0]?.limits.map(({ name }) => name) ?? [];
  const shown = ({ has, asked }: Limit) => `${figure(asked)} of ${figure(has)}${asked >= has ? " **binds**" : ""}`;
  return table(
    ["Limit", ...meanings.map(({ meaning }) => meaning)],
    names.map((name, i) => [name, ...meanings.map(({ limits }) => shown(limits[i] as Limit))]),
  );
}

function chokepointTable({ chokepoints }: Answer): string {
  return table(
    ["Chokepoint", "begins at", "this target", "then"],
    chokepoints.map(({ name, unit, begins, target, remedy }) => [
      name,
      `${figure(begins)} ${unit}`,
      figure(target),
      begins > target ? `not yet; ${remedy}` : remedy,
    ]),
  );
}

function effectTable({ effects }: Answer): string {
  return table(
    ["Input", "from", "to", "dollars a month", "reason or source"],
    effects
      .slice(0, TOP)
      .map(({ name, unit, input, dollars: cost, source }) => [
        name,
        `${figure(input.low)} ${unit}`.trim(),
        `${figure(input.high)} ${unit}`.trim(),
        `${dollars(cost.low)} to ${dollars(cost.high)}`,
        source,
      ]),
  );
}

function decisionTable({ decisions }: Answer): string {
  return table(
    ["Chosen", "instead", "dollars a month more (range)", "but"],
    decisions.map(({ chosen, instead, dollars: cost, remark }) => [chosen, instead, ranged(cost, dollars), remark]),
  );
}

function alternativeTable({ alternatives, capacity }: Answer): string {
  const own = { name: "**this store**", dollars: capacity.dollars.total, source: "above" };
  return table(
    ["System", "dollars a month", "by"],
    [own, ...alternatives].map(({ name, dollars: cost, source }) => [name, dollars(cost), source]),
  );
}
