// All faults, in the order in which they are run.

import type { Fault } from "../rig.ts";
import { CLOCK_STEPS } from "./clock.ts";
import { FULL_DISK } from "./disk.ts";
import { RESTART_MYSQLD, TERM_MYSQLD } from "./mysqlds.ts";
import { PART_PRIMARY, PART_REPLICAS, PART_VTGATE } from "./partition.ts";
import { KILL_ETCD, KILL_SERVER, KILL_VTCTLD, KILL_VTGATE, KILL_VTORC, POWER_LOSS, STOP_SERVER } from "./processes.ts";
import { MERGE, SPLIT, SPLIT_FAILOVER } from "./reshard.ts";
import {
  KILL_MAJORITY,
  KILL_MYSQLD,
  KILL_PRIMARY,
  KILL_REPLICAS,
  KILL_VTTABLET,
  PAUSE_PRIMARY,
  REPARENT,
} from "./tablets.ts";
import { LATE_HEALTH, PAUSE_VTGATE } from "./vtgates.ts";
import { ZONE, ZONE_CONTROL, ZONE_REPLICATION, ZONE_VTGATE } from "./zones.ts";

/** Each leaves as many shards as it finds, but for the pairs of a split and a merge. */
export const FAULTS: Fault[] = [
  REPARENT,
  KILL_MYSQLD,
  KILL_VTTABLET,
  KILL_PRIMARY,
  PAUSE_PRIMARY,
  KILL_REPLICAS,
  KILL_MAJORITY,
  KILL_VTGATE,
  KILL_ETCD,
  KILL_VTORC,
  KILL_VTCTLD,
  STOP_SERVER,
  KILL_SERVER,
  PART_REPLICAS,
  PART_PRIMARY,
  PART_VTGATE,
  ZONE,
  ZONE_CONTROL,
  ZONE_REPLICATION,
  ZONE_VTGATE,
  LATE_HEALTH,
  PAUSE_VTGATE,
  RESTART_MYSQLD,
  TERM_MYSQLD,
  CLOCK_STEPS,
  FULL_DISK,
  POWER_LOSS,
  SPLIT,
  MERGE,
  SPLIT_FAILOVER,
  MERGE,
];
