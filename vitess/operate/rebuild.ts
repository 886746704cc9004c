// `rebuild`: writes a shard's rows anew in the order of their keys, at one tablet after the other, while they serve. Keys
// come in random order, which leaves over a third of each page empty.

import type { RowDataPacket } from "mysql2/promise";
import { Cluster, changing, requireNoResharding } from "../run/folder.ts";
import { connected } from "../run/mysqlds.ts";
import { type ClusterStatus, isHealthy, readStatus, requireShard, type TabletStatus } from "../run/status.ts";
import { ClusterProblem } from "../support/problem.ts";
import { step } from "../support/progress.ts";
import { KEYSPACE } from "../topology/topology.ts";

/** In place, beside reads and writes; it fails if that can't be. */
const REBUILD = `ALTER TABLE vt_${KEYSPACE}.entries FORCE, ALGORITHM=INPLACE, LOCK=NONE`;

/** At its end it needs the table for a moment. Behind it all statements wait for those that are under way. */
const LOCK_WAIT_SECONDS = 3;

/** Of one shard, or of all. Each tablet needs room for a copy of its table meanwhile. */
export async function rebuild(dataDir: string, shard: string | undefined, signal: AbortSignal): Promise<ClusterStatus> {
  Cluster.load(dataDir);
  return await changing(dataDir, signal, async () => {
    const cluster = Cluster.load(dataDir);
    // Its copies keep the tables in use for as long as they take.
    requireNoResharding(cluster);
    const { shards, tablets } = await readStatus(cluster);
    if (shard !== undefined) requireShard(shards, shard);
    const ours = tablets.filter((tablet) => shards.includes(tablet.shard) && tablet.shard === (shard ?? tablet.shard));
    const ill = ours.find((tablet) => !isHealthy(tablet));
    if (ill) throw new ClusterProblem(`Tablet ${ill.alias} is not healthy. See 'status'.`);
    for (const tablet of ours) {
      signal.throwIfAborted();
      await step(`${tablet.alias} of shard ${tablet.shard} in the order of keys`, () => rebuildAt(tablet, signal));
    }
    return await readStatus(cluster);
  });
}

/** Not told to the others: replicas would do nothing else meanwhile. Where the signal fires, all is as it was. */
async function rebuildAt(tablet: TabletStatus, signal: AbortSignal) {
  await connected(tablet, async (connection) => {
    const stop = () => {
      connected(tablet, (other) => other.query(`KILL ${connection.threadId}`)).catch(() =>
        console.error(`${tablet.alias} could not be told to stop: it goes on until it has done all of it.`),
      );
    };
    signal.addEventListener("abort", stop);
    try {
      signal.throwIfAborted();
      await connection.query("SET GLOBAL super_read_only = OFF");
      await connection.query(`SET sql_log_bin = 0, lock_wait_timeout = ${LOCK_WAIT_SECONDS}`);
      await connection.query(REBUILD);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      // What it is about has failed if this fails, and says so.
      await protectReplica(tablet).catch(() => {});
    }
  });
}

/** As vttablet has it, unless it has become the primary meanwhile. */
async function protectReplica(tablet: TabletStatus) {
  await connected(tablet, async (connection) => {
    await connection.query(`SET lock_wait_timeout = ${LOCK_WAIT_SECONDS}`);
    const [[row]] = await connection.query<RowDataPacket[]>("SELECT @@GLOBAL.read_only AS isReplica");
    if (row?.isReplica) await connection.query("SET GLOBAL super_read_only = ON");
  });
}
