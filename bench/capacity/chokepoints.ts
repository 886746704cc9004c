// Where growing stops being more of the same: each limit, the number at which it begins, and what is then done.

import { shardNames } from "../../vitess/topology/settings.ts";
import { CONNECTIONS, capacityOf, type Known } from "./model.ts";
import type { Design, Target } from "./target.ts";
import type { Traffic } from "./traffic.ts";

export interface Chokepoint {
  name: string;
  unit: string;
  /** Where it begins, and what the target would have without the remedy. */
  begins: number;
  target: number;
  remedy: string;
}

/** --queryserver-config-pool-size of vitess/topology/topology.ts. */
const TABLET_POOL = 64;
/** Each server that sweeps looks at each shard's lease this often, and that should be a small part of all calls. */
const LEASE_SECONDS = 10;
const LEASE_SHARE = 0.01;

/** A server that starts asks each shard for its time zone, in two round trips, and should serve by then. */
const START_SECONDS = 30;

/** In the order in which a store meets them that grows evenly to the target. */
export function chokepointsOf(target: Target, design: Design, known: Known): Chokepoint[] {
  const capacity = capacityOf(target, design, known);
  const spread = capacityOf(target, { ...design, routing: "any" }, known);
  const { traffic, shards, tablets, expiry } = capacity;
  const rate = traffic.callsPerSecond;
  const servers = spread.traffic.serverProcesses;
  // Rows that wait for a shard while a statement is under way: with more servers than that each has less than one.
  const rowsOfShard = (rate * target.reads * target.latencySeconds * 2) / 3 / shards.count;
  const chokepoints: Chokepoint[] = [
    {
      name: "a server's one thread",
      unit: "calls/s",
      begins: rate / traffic.serverProcesses,
      target: rate,
      remedy: "more servers: they share nothing",
    },
    {
      name: "connections of a server (KV_CONNECTIONS) for a reading and a writing statement in each shard",
      unit: "shards",
      begins: CONNECTIONS / 2,
      target: shards.count,
      remedy: `slices: ${Math.ceil(shards.count / traffic.slices)} shards for a server, and KV_CONNECTIONS of twice as many`,
    },
    {
      name: "the local launcher's names of shards",
      unit: "shards",
      begins: mostShards(),
      target: shards.count,
      remedy: "none is needed beyond one machine: Vitess takes key ranges of any length",
    },
    {
      name: `a server's start, which asks each shard for its time zone, in ${START_SECONDS} s`,
      unit: "shards",
      begins: (START_SECONDS * 1000) / (2 * known.readAloneMs),
      target: shards.count,
      remedy: "it asks those of its slice, several at once",
    },
    {
      name: "coalescing: as many servers for a shard as rows wait in it, so that each statement has one row",
      unit: "servers for a shard",
      begins: rowsOfShard,
      target: servers,
      remedy: `slices: ${known.processesPerSlice} servers for a shard, found by the load balancer from the key`,
    },
    {
      name: "a tablet's pool of statements, if each server has two under way",
      unit: "servers for a shard",
      begins: TABLET_POOL / 2,
      target: servers,
      remedy: "slices; what comes too many waits in vttablet",
    },
    {
      name: `leases of the sweep, read by each server every ${LEASE_SECONDS} s, as a hundredth of all calls`,
      unit: "reads/s",
      begins: rate * LEASE_SHARE,
      target: (servers * shards.count) / LEASE_SECONDS,
      remedy: "KV_SWEEP=false on all but a few servers of each slice",
    },
    {
      name: "one vtorc",
      unit: "tablets",
      begins: (known.gateCores * known.cpuFill * 1e6) / known.pollMicros,
      target: tablets,
      remedy: "several, each with its part of the shards (--clusters-to-watch)",
    },
    {
      name: "reading all tablets' records from one etcd",
      unit: "MB/s",
      begins: known.topoReadMbps,
      target: spread.topology.topoReadMbps,
      remedy: "cells: the tablets of a slice in a cell of their own, which its vtgates watch (--cells-to-watch)",
    },
    {
      name: "the record of all shards that serve, which is one request to etcd and is sent to every vtgate",
      unit: "shards",
      begins: (known.etcdRequestMib * 2 ** 20) / known.shardRecordBytes,
      target: shards.count,
      remedy: "several keyspaces, each with its part of the keys; or etcd's --max-request-bytes",
    },
    {
      name: "health streams: one core of a vtgate for the messages of all tablets",
      unit: "tablets",
      begins: (1e6 / known.healthMicros) * known.healthSeconds,
      target: tablets,
      remedy: "vtgates of a slice that watch its shards alone (--tablet-filters); a longer --health-check-interval",
    },
    {
      name: `one key, of ${100 * known.hotShare}% of all calls`,
      unit: "calls/s",
      begins: known.hotKeyCallsPerSecond * known.processesPerSlice,
      target: rate * known.hotShare,
      remedy:
        "reads: more servers in its slice, then replicas or a cache, for which its readers have to ask; writes: none, for 500 calls share each commit, however many servers there are",
    },
    {
      name: "the cores of a shard's primary",
      unit: "calls/s a shard",
      begins: (shards.callsPerSecond * shards.count) / shards.byCalls,
      target: shards.callsPerSecond,
      remedy: "more shards",
    },
    {
      name: "rows from disk: the disks of a machine, which has several tablets",
      unit: "pages/s a machine",
      begins: known.hostPages,
      target: pagesOf(traffic, design, known) / capacity.hosts.tablets,
      remedy: "machines with less disk each; memory for more of the data",
    },
    {
      name: "the sweep of a shard, beside its calls",
      unit: "expiring rows/s a shard",
      begins: known.sweepRowsPerSecond,
      target: expiry.rowsPerSecondAndShard,
      remedy: "more shards; rows stay longer, readers do not see them",
    },
  ];
  return chokepoints.sort((a, b) => a.begins / a.target - b.begins / b.target);
}

/** Pages that all disks read in a second. */
function pagesOf({ readsPerSecond, writesPerSecond }: Traffic, { replicas }: Design, known: Known): number {
  const written = (writesPerSecond * known.coldWritePages * replicas) / 3;
  return known.coldShare * (readsPerSecond * known.coldReadPages + written);
}

/** How many shards vitess/topology/topology.ts can name. */
function mostShards(): number {
  let most = 1;
  for (;;) {
    try {
      shardNames(2 * most);
    } catch {
      return most;
    }
    most *= 2;
  }
}
