// The capacity model: from what is wanted, the design and the inputs to machines, traffic and dollars a month. A pure
// function, so that it can be asked again for each draw of the inputs and each other decision.

import type { InputName } from "./measured.ts";
import { storedBytesOf } from "./packing.ts";
import { MONTH_HOURS, MONTH_SECONDS } from "./prices.ts";
import type { Values } from "./quantity.ts";
import { logBytesOf, type Storage, storageOf } from "./storage.ts";
import type { Design, Target } from "./target.ts";
import { connectionsOf, type Traffic, trafficOf } from "./traffic.ts";

export type Known = Values<InputName>;

export interface Capacity {
  storage: Storage;
  traffic: Traffic;
  shards: { byStorage: number; byCalls: number; count: number; callsPerSecond: number; inFlight: number };
  tablets: number;
  gates: number;
  /** To be bought, with what is kept free. */
  cores: { servers: number; gates: number; tablets: number; watching: number; total: number };
  memoryGb: { servers: number; gates: number; tablets: number; total: number };
  hosts: { byCores: number; byMemory: number; byDisk: number; byNetwork: number; tablets: number; others: number };
  topology: {
    healthStreams: number;
    healthMessagesPerSecond: number;
    topoReadMbps: number;
    etcdClusters: number;
    vtorcs: number;
  };
  /** In bytes a second. */
  network: { callers: number; statements: number; replication: number; backup: number; betweenZones: number };
  /** `massSeconds`: until a million rows are reclaimed that expire at once. */
  expiry: { rowsPerSecondAndShard: number; ofWhatTheSweepCan: number; massSeconds: number };
  /** In seconds. */
  reshard: { perShard: number; perTb: number };
  dollars: { cores: number; memory: number; nvme: number; objects: number; network: number; total: number };
}

/** A value that is written is a hex literal until MySQL has parsed it. */
const HEX = 2;
/** vtgate's and vttablet's hops. */
const HOPS = 2;
const GATE_MB = 512;
/** Beside its buffer pool: as vitess/topology/topology.ts allows for. */
const TABLET_OVERHEAD_MB = 250 + 256;
const ZONES = 3;
const MILLION = 1e6;
/** Seconds between looks at a MySQL server by vtorc. */
const POLL_SECONDS = 1;

export function capacityOf(target: Target, design: Design, known: Known): Capacity {
  const storage = storageOf(target, design, known);
  const byStorage = Math.ceil(storage.replicaBytes / design.shardBytes);
  const byCalls = Math.ceil(
    trafficOf(target, design, known, byStorage).cores.primaries / known.cpuFill / known.tabletCores,
  );
  const count = Math.max(1, byStorage, byCalls);
  const traffic = trafficOf(target, design, known, count);
  const { callsPerSecond, inFlight, expiriesPerSecond } = traffic;
  const tablets = count * design.replicas;
  const topology = topologyOf(traffic, tablets, known);
  const network = networkOf(target, design, known, storage, traffic);
  const cores = coresOf(traffic, topology, tablets, known);
  const memoryGb = memoryOf(target, design, storage, traffic, topology, tablets, known);
  const expiring = expiriesPerSecond / count;
  return {
    storage,
    traffic,
    shards: { byStorage, byCalls, count, callsPerSecond: callsPerSecond / count, inFlight: inFlight / count },
    tablets,
    gates: topology.gates,
    cores,
    memoryGb,
    hosts: hostsOf(storage, cores, memoryGb, network, known),
    topology: topology.load,
    network,
    expiry: {
      rowsPerSecondAndShard: expiring,
      ofWhatTheSweepCan: expiring / known.sweepRowsPerSecond,
      massSeconds: MILLION / count / known.sweepRowsPerSecond,
    },
    reshard: { perShard: design.shardBytes / (known.copyMbps * 1e6), perTb: 1e6 / known.copyMbps },
    dollars: dollarsOf(cores.total, memoryGb.total, storage, network, known),
  };
}

type Part<Name extends keyof Capacity> = Capacity[Name];

/** Machines for tablets, by what each of them has, and for all else. */
function hostsOf(
  storage: Storage,
  cores: Part<"cores">,
  memoryGb: Part<"memoryGb">,
  network: Part<"network">,
  known: Known,
): Part<"hosts"> {
  const byCores = Math.ceil(cores.tablets / known.hostCores);
  const byMemory = Math.ceil(memoryGb.tablets / known.hostMemoryGb);
  const byDisk = Math.ceil(storage.diskBytes / 1e12 / known.hostDiskTb);
  const perHost = (known.hostNetworkGbps * 1e9 * known.cpuFill) / 8;
  const byNetwork = Math.ceil((network.statements / HOPS + network.replication + network.backup) / perHost);
  const others = Math.max(
    (cores.servers + cores.gates + cores.watching) / known.hostCores,
    (memoryGb.servers + memoryGb.gates) / known.hostMemoryGb,
  );
  const tablets = Math.max(byCores, byMemory, byDisk, byNetwork);
  return { byCores, byMemory, byDisk, byNetwork, tablets, others: Math.ceil(others) };
}

/** Each vtgate has a stream of health from each tablet that it watches, and reads all tablets' records of its cell. */
function topologyOf(traffic: Traffic, tablets: number, known: Known) {
  // One slice's vtgates watch its shards alone (--tablet-filters), and its tablets' records are a cell of their own.
  const watched = tablets / traffic.slices;
  const perGate = Math.max(1, known.gateCores * known.cpuFill - healthCores(watched, known));
  // Two for each slice at least, for one may be lost.
  const gates = Math.max(2 * traffic.slices, Math.ceil(traffic.cores.gates / perGate));
  const topoReadMbps = (gates * watched * known.tabletRecordBytes) / known.topoSeconds / 1e6;
  return {
    gates,
    watched,
    load: {
      healthStreams: gates * watched,
      healthMessagesPerSecond: (gates * watched) / known.healthSeconds,
      topoReadMbps,
      etcdClusters: Math.max(1, Math.ceil(topoReadMbps / known.topoReadMbps)),
      vtorcs: Math.max(
        1,
        Math.ceil((tablets * known.pollMicros) / 1e6 / POLL_SECONDS / (known.gateCores * known.cpuFill)),
      ),
    },
  };
}

type TopologyPart = ReturnType<typeof topologyOf>;

function healthCores(watched: number, known: Known): number {
  return (watched * known.healthMicros) / 1e6 / known.healthSeconds / known.coreSpeed;
}

function coresOf(traffic: Traffic, { gates, watched, load }: TopologyPart, tablets: number, known: Known) {
  const servers = traffic.cores.servers / known.cpuFill;
  const ofGates = (traffic.cores.gates + gates * healthCores(watched, known)) / known.cpuFill;
  // What a tablet takes when nobody calls is there in any case.
  const ofTablets = (traffic.cores.tablets + tablets * known.idleTabletCores) / known.cpuFill;
  const watching = load.vtorcs * known.gateCores + load.etcdClusters * 3 * known.gateCores;
  return { servers, gates: ofGates, tablets: ofTablets, watching, total: servers + ofGates + ofTablets + watching };
}

function memoryOf(
  target: Target,
  design: Design,
  storage: Storage,
  traffic: Traffic,
  { gates, watched }: TopologyPart,
  tablets: number,
  known: Known,
) {
  const connections = connectionsOf(target, traffic.callsPerSecond);
  const servers = (traffic.serverProcesses * known.serverMb) / 1e3 + (connections * known.connectionKb) / 1e6;
  const sessions = traffic.serverProcesses * CONNECTIONS;
  const ofGates =
    (gates * GATE_MB) / 1e3 + (gates * watched * known.healthStreamKb + sessions * known.gateConnectionKb) / 1e6;
  const pools = (storage.replicaBytes * design.replicas * known.poolShare) / 1e9;
  const ofTablets = pools + (tablets * TABLET_OVERHEAD_MB) / 1e3;
  return { servers, gates: ofGates, tablets: ofTablets, total: servers + ofGates + ofTablets };
}

/** KV_CONNECTIONS of src/config.ts. */
export const CONNECTIONS = 32;

function networkOf(target: Target, design: Design, known: Known, storage: Storage, traffic: Traffic) {
  const { readsPerSecond: reads, writesPerSecond: writes } = traffic;
  const valueBytes = storedBytesOf(target, design, known);
  const callers = (reads + writes) * (known.httpBytes + known.keyBytes + target.valueBytes);
  const read = known.keyBytes * HEX + known.statementBytes + valueBytes;
  const write = (known.keyBytes + valueBytes) * HEX + known.statementBytes;
  const statements = HOPS * (reads * read + writes * write);
  const replication = writes * logBytesOf(target, design, known) * (design.replicas - 1);
  const backup = storage.replicaBytes / (known.backupDays * 86_400) + writes * logBytesOf(target, design, known);
  // A primary is in another zone than two thirds of the servers; replicas always are.
  const betweenZones = (statements / HOPS) * ((ZONES - 1) / ZONES) + replication;
  return { callers, statements, replication, backup, betweenZones };
}

function dollarsOf(cores: number, memoryGb: number, storage: Storage, network: Capacity["network"], known: Known) {
  const parts = {
    cores: cores * MONTH_HOURS * known.vcpuHour,
    memory: memoryGb * MONTH_HOURS * known.memoryGbHour,
    nvme: (storage.diskBytes / 1e12) * known.nvmeTbMonth,
    objects: (storage.objectBytes / 1e12) * known.objectTbMonth,
    network: (network.betweenZones / 1e9) * MONTH_SECONDS * known.zoneGb,
  };
  return { ...parts, total: Object.values(parts).reduce((sum, part) => sum + part, 0) };
}
