// The answer as Markdown tables, which read well in a terminal too.

import { figure, percent, table } from "../report.ts";
import type { Answer, Range } from "./answer.ts";
import type { Design, Target } from "./target.ts";

/** Of the inputs, how many are shown that move the cost most. */
const TOP = 3;

export function tables(answer: Answer): string {
  return [
    `# Capacity: ${sentence(answer.target, answer.design)}`,
    "Ranges hold 90 of 100 draws of what was measured; what is assumed stays at its value, see the sensitivities.",
    capacityTable(answer),
    "## Dollars a month",
    dollarTable(answer),
    "## What a million concurrent calls can mean",
    meaningTable(answer),
    "## Chokepoints, in the order in which a store meets them that grows evenly to this target",
    chokepointTable(answer),
    "## What each decision costs, against its alternative",
    decisionTable(answer),
    "## What moves the cost most",
    effectTable(answer),
    "## The same load elsewhere",
    alternativeTable(answer),
  ].join("\n\n");
}

type Show = (value: number) => string;

const UNITS: [least: number, unit: string][] = [
  [1e15, "PB"],
  [1e12, "TB"],
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
];

const bytes: Show = (count) => {
  const [factor, unit] = UNITS.find(([least]) => Math.abs(count) >= least) ?? [1, "B"];
  return `${figure(count / factor)} ${unit}`;
};
const bytesPerSecond: Show = (count) => `${bytes(count)}/s`;
const hours: Show = (seconds) => `${figure(seconds / 3600)} h`;
const dollars: Show = (amount) => `${amount < 0 ? "−" : ""}$${figure(Math.abs(amount))}`;

/** A value with the range that 90 of 100 draws are in; without it where they don't differ. */
function ranged({ value, low, high }: Range, show: Show = figure): string {
  const [middle, from, to] = [value, low, high].map(show);
  return from === to ? String(middle) : `${middle} (${from} – ${to})`;
}

function sentence(target: Target, design: Design): string {
  const meaning = {
    "in-flight": `calls in flight at ${figure(target.latencySeconds * 1000)} ms`,
    connections: "connections",
    "per-second": "calls a second",
  }[target.meaning];
  return [
    `${figure(target.calls)} ${meaning}`,
    `${bytes(target.dataBytes)} in values of ${bytes(target.valueBytes)}`,
    `${percent(target.reads)} reads`,
    `${percent(target.ttlShare)} of writes with a TTL`,
    `${design.replicas} tablets a shard`,
    `routing ${design.routing}`,
    `packing ${design.packing}`,
    `pages ${design.pages}`,
  ].join(", ");
}

/** What is shown of the capacity: a title, the figure's path, and how it is shown. */
const FIGURES: [title: string, path: string, show?: Show][] = [
  ["calls/s", "traffic.callsPerSecond"],
  ["calls in flight", "traffic.inFlight"],
  ["rows", "storage.rows"],
  ["bytes of a row in the table", "storage.rowBytes"],
  ["bytes of a row in the index of expiries", "storage.indexBytes"],
  ["one copy of all rows", "storage.replicaBytes", bytes],
  ["disk, all tablets, with what stays free", "storage.diskBytes", bytes],
  ["of it binary logs", "storage.logBytes", bytes],
  ["object store: backups", "storage.objectBytes", bytes],
  ["shards by storage", "shards.byStorage"],
  ["shards by calls", "shards.byCalls"],
  ["**shards**", "shards.count"],
  ["calls/s a shard", "shards.callsPerSecond"],
  ["calls in flight a shard", "shards.inFlight"],
  ["rows of a reading statement", "traffic.readRows"],
  ["rows of a writing statement", "traffic.writeRows"],
  ["tablets", "tablets"],
  ["server processes", "traffic.serverProcesses"],
  ["slices of servers and shards", "traffic.slices"],
  ["vtgates", "gates"],
  ["cores: servers", "cores.servers"],
  ["cores: vtgates", "cores.gates"],
  ["cores: tablets", "cores.tablets"],
  ["cores: vtorc and etcd", "cores.watching"],
  ["**cores**", "cores.total"],
  ["**memory**", "memoryGb.total", (gb) => bytes(gb * 1e9)],
  ["machines for tablets, by cores", "hosts.byCores"],
  ["by memory", "hosts.byMemory"],
  ["by disk", "hosts.byDisk"],
  ["by network", "hosts.byNetwork"],
  ["**machines for tablets**", "hosts.tablets"],
  ["machines for all else", "hosts.others"],
  ["health streams", "topology.healthStreams"],
  ["health messages/s", "topology.healthMessagesPerSecond"],
  ["etcd: tablets' records read", "topology.topoReadMbps", (mb) => bytesPerSecond(mb * 1e6)],
  ["vtorcs", "topology.vtorcs"],
  ["network: callers", "network.callers", bytesPerSecond],
  ["network: statements", "network.statements", bytesPerSecond],
  ["network: replication", "network.replication", bytesPerSecond],
  ["network: backups", "network.backup", bytesPerSecond],
  ["network: between zones", "network.betweenZones", bytesPerSecond],
  ["rows expiring/s a shard", "expiry.rowsPerSecondAndShard"],
  ["of what the sweep can reclaim", "expiry.ofWhatTheSweepCan", (share) => `${figure(100 * share)}%`],
  ["until a million rows are reclaimed that expire at once", "expiry.massSeconds", (seconds) => `${figure(seconds)} s`],
  ["copying one shard", "reshard.perShard", hours],
  ["copying 1 TB, one shard after the other", "reshard.perTb", hours],
];

function capacityTable({ ranges }: Answer): string {
  return table(
    ["", "value (range)"],
    FIGURES.map(([title, path, show]) => [title, ranged(ranges[path] as Range, show)]),
  );
}

function dollarTable({ ranges }: Answer): string {
  const parts = ["nvme", "memory", "network", "cores", "objects", "total"];
  return table(
    ["For", "dollars a month (range)"],
    parts.map((part) => [part, ranged(ranges[`dollars.${part}`] as Range, dollars)]),
  );
}

function meaningTable({ meanings }: Answer): string {
  const inFlight = ["in flight, idle store's latency", "in flight, target's latency"];
  return table(
    ["A million …", "calls/s", ...inFlight, "servers", "cores", "dollars a month"],
    meanings.map((each) => [
      each.words,
      ...[each.callsPerSecond, each.inFlightAlone, each.inFlightTarget, each.serverProcesses, each.cores].map(figure),
      dollars(each.dollars),
    ]),
  );
}

function chokepointTable({ chokepoints }: Answer): string {
  return table(
    ["Chokepoint", "begins at", "this target", "then"],
    chokepoints.map(({ name, unit, begins, target, remedy }) => [
      ...[name, `${figure(begins)} ${unit}`, figure(target)],
      begins > target ? `not yet; ${remedy}` : remedy,
    ]),
  );
}

function decisionTable({ decisions }: Answer): string {
  return table(
    ["Chosen", "instead", "dollars a month more (range)", "but"],
    decisions.map(({ chosen, instead, dollarsMore, but }) => [chosen, instead, ranged(dollarsMore, dollars), but]),
  );
}

function effectTable({ effects }: Answer): string {
  return table(
    ["Input", "from", "to", "dollars a month", "reason or source"],
    effects
      .slice(0, TOP)
      .map(({ name, unit, input, dollars: cost, source }) => [
        ...[name, `${figure(input.low)} ${unit}`.trim(), `${figure(input.high)} ${unit}`.trim()],
        ...[`${dollars(cost.low)} to ${dollars(cost.high)}`, source],
      ]),
  );
}

function alternativeTable({ alternatives, capacity }: Answer): string {
  const own = { name: "**this store**", dollars: capacity.dollars.total, source: "above" };
  return table(
    ["System", "dollars a month", "by"],
    [own, ...alternatives].map(({ name, dollars: cost, source }) => [name, dollars(cost), source]),
  );
}
