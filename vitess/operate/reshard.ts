// `reshard N`: splits or merges the shards of a cluster until it has N of them, while it serves.
//
// New tablets come beside the old ones, Vitess copies every row to them and follows what is written meanwhile, then it
// switches all calls over at once, and the old tablets are deleted. Each phase first looks at how far things are, so
// that after Ctrl-C or a crash the same command goes on from there; until the switch `reshard` to the old number of
// shards gives up. cluster.json says which tablets there are at every moment, and Vitess which shards serve.

import { setTimeout as sleep } from "node:timers/promises";
import { findParts, type Parts } from "../install/parts.ts";
import { Cluster, changing, exclusively } from "../run/folder.ts";
import { dataMb } from "../run/mysqlds.ts";
import { requireMemory, requireRoom } from "../run/room.ts";
import { startProcesses } from "../run/start.ts";
import { type ClusterStatus, isReady, readStatus } from "../run/status.ts";
import { vtctl } from "../run/vtctl.ts";
import { ClusterProblem } from "../support/problem.ts";
import { step } from "../support/progress.ts";
import { until } from "../support/until.ts";
import { type Settings, shardNames, withServed, withShards } from "../topology/settings.ts";
import { clearWorkflowLock } from "./abandoned.ts";
import { clearTerms } from "./clear-terms.ts";
import { isCollected, untilCollected } from "./collector.ts";
import { removeRetired } from "./retire.ts";
import { WORKFLOW, Workflow } from "./workflow.ts";

/** vtorc and vtgate look for new tablets every five seconds; an election takes one or two. */
const READY_TIMEOUT_MS = 120_000;
/** Of a command that may meet a table which is being dropped, and the pause between them. */
const CREATE_TRIES = 5;
const CREATE_AGAIN_MS = 1_000;
/** How long it may take until vtgate sees shards that serve. */
const SERVING_TIMEOUT_MS = 15_000;
/** A row that is copied is written to data files, to binary logs and, on replicas, to relay logs for a while. */
const COPIES_ON_DISK = 3;
/** Calls wait during a switch for what is still to be copied, so it begins when that is hardly anything. */
const SWITCH_LAG_SECONDS = 2;
const SWITCH_ATTEMPTS = 5;

/** Returns once the cluster has so many shards, and nothing else. */
export async function reshard(dataDir: string, count: number, signal: AbortSignal): Promise<ClusterStatus> {
  process.umask(0o022);
  const wanted = shardNames(count);
  Cluster.load(dataDir);
  const parts = await findParts(signal);
  return await changing(dataDir, signal, async () => {
    const locked = <T>(work: (cluster: Cluster) => Promise<T>) =>
      exclusively(dataDir, signal, () => work(Cluster.load(dataDir)));
    await locked((cluster) => begin(cluster, wanted, parts, signal));
    // Others may start and stop the cluster while it copies, which can take hours.
    await copy(Cluster.load(dataDir), parts, signal);
    // A matter of seconds, after which an interruption does no harm: until then it has to wait.
    await locked((cluster) => switchOver(cluster, parts));
    signal.throwIfAborted();
    await locked((cluster) => removeRetired(cluster, parts, signal));
    return await readStatus(Cluster.load(dataDir));
  });
}

/** Finds out what is to be done, and starts the tablets that it takes. */
async function begin(cluster: Cluster, wanted: string[], parts: Parts, signal: AbortSignal) {
  const { settings, topology } = cluster;
  const { resharding } = settings;
  const isWanted = (shards: string[]) => shards.join() === wanted.join();
  if (resharding && isWanted(topology.shards)) return await giveUp(cluster, parts, signal);
  if (resharding && !isWanted(resharding)) {
    throw new ClusterProblem(
      `The cluster is being resharded to ${counted(resharding)}. Let that finish with 'reshard ${resharding.length}', or give it up with 'reshard ${topology.shards.length}'.`,
    );
  }
  if (settings.adding) {
    const { shard, uid } = settings.adding;
    throw new ClusterProblem(
      `A tablet is being added to shard ${shard}. Let that finish with 'add-tablet ${shard}', or give it up with 'remove-tablet ${uid}'.`,
    );
  }
  const done = isWanted(topology.shards);
  if (done) console.error(`The cluster has ${counted(wanted)} already.`);
  if (done && !settings.retired) return;
  const wantedCluster = resharding || done ? cluster : enlarge(cluster, wanted);
  await startProcesses(wantedCluster, parts, signal, async () => {});
}

/** The cluster with tablets for the new shards, if there is room for them, written down. */
function enlarge(cluster: Cluster, wanted: string[]): Cluster {
  const { settings } = cluster;
  const larger = cluster.with({ ...withShards(settings, wanted), resharding: wanted });
  requireRoom(larger, COPIES_ON_DISK * dataMb(cluster));
  requireMemory(
    larger.settings.tablets.length - settings.tablets.length,
    "Until all calls are switched over, the old tablets and the new run side by side.",
  );
  larger.save();
  return larger;
}

/** Waits until the new shards have all rows, and follow closely what is written to the old ones. */
async function copy(cluster: Cluster, parts: Parts, signal: AbortSignal) {
  const { settings, topology } = cluster;
  const { resharding } = settings;
  if (!resharding) return;
  const workflow = new Workflow(vtctl(cluster, parts));
  if ((await workflow.servingShards(signal)).join() === resharding.join()) return;
  await workflow.allowQueries(resharding, signal);
  await step("primaries of the new shards", async (report) => {
    await until(READY_TIMEOUT_MS, signal, "The new shards have no primary yet", async () => {
      const status = await readStatus(cluster);
      const missing = resharding.filter((shard) => !isReady(status, shard));
      report(`waiting for ${missing.join(", ")}`);
      return missing.length === 0;
    });
  });
  await step("copy to the new shards", async (report) => {
    await schemaAtRest(workflow, report, signal);
    report("until Vitess has dropped what schema changes left");
    await untilCollected(cluster, topology.shards, signal);
    for (let tries = 1; !(await workflow.exists(signal)); tries++) {
      await workflow.create(topology.shards, resharding).catch((error) => {
        if (tries === CREATE_TRIES || !isCollected(error.message)) throw error;
        return sleep(CREATE_AGAIN_MS, undefined, { signal });
      });
    }
    await until(Number.POSITIVE_INFINITY, signal, "", async () => {
      const { copying, stopped, streams, rowsCopied, lagSeconds, empty } = await workflow.progress(signal);
      if (empty) {
        throw new ClusterProblem(
          `There are no tables to copy yet. Give up with 'reshard ${topology.shards.length}', start a server once, which makes them, and try again.`,
        );
      }
      if (stopped > 0) await workflow.start(signal);
      report(
        copying > 0
          ? `${copying} of ${streams} streams copy, ${rowsCopied.toLocaleString("en")} rows so far`
          : `${lagSeconds} s behind`,
      );
      return copying === 0 && lagSeconds <= SWITCH_LAG_SECONDS;
    });
    await schemaAtRest(workflow, report, signal);
  });
}

function schemaAtRest(workflow: Workflow, report: (detail: string) => void, signal: AbortSignal) {
  return until(Number.POSITIVE_INFINITY, signal, "", async () => {
    const changes = await workflow.schemaChanges(signal);
    if (changes.length > 0) report(`waiting for the end of schema change ${changes.join(", ")}`);
    return changes.length === 0;
  });
}

/** Lets the new shards serve instead of the old ones, whose tablets are retired. */
async function switchOver(cluster: Cluster, parts: Parts) {
  const { resharding, ...settings } = cluster.settings;
  if (!resharding) return;
  await step("switch all calls over", async (report) => {
    await clearWorkflowLock(cluster, parts, WORKFLOW);
    const workflow = new Workflow(vtctl(cluster, parts));
    if (await workflow.exists()) {
      for (let attempt = 1; !(await workflow.progress()).switched; attempt++) {
        report(attempt === 1 ? "" : `attempt ${attempt}`);
        try {
          await clearTerms(cluster, resharding);
          await workflow.switchTraffic(SWITCH_LAG_SECONDS);
        } catch (error) {
          // The new shards did not catch up in time, or a tablet did not answer. The old ones serve again.
          await workflow.undoReads();
          if (attempt === SWITCH_ATTEMPTS) throw error;
          await sleep(2_000);
        }
      }
      // What is written now still reaches the old shards, as a way back in case the new ones can't serve.
      report("check the new shards");
      await until(READY_TIMEOUT_MS, undefined, "The new shards don't serve", async () => {
        const status = await readStatus(cluster);
        return resharding.every((shard) => status.shards.includes(shard) && isReady(status, shard));
      });
      await workflow.complete();
    }
  });
  cluster.with(withServed(split(settings, (shard) => resharding.includes(shard)))).save();
}

/** Lets go of the new shards, unless they may serve already. */
async function giveUp(cluster: Cluster, parts: Parts, signal: AbortSignal) {
  const { resharding = [], ...settings } = cluster.settings;
  const { shards } = cluster.topology;
  const smaller = cluster.with(split(settings, (shard) => !resharding.includes(shard)));
  await startProcesses(smaller, parts, signal, async () => {});
  await step("the old shards serve", async () => {
    const tooLate = `It may be too late to give up: 'reshard ${resharding.length}' finishes the switch. The old shards did not serve`;
    await until(SERVING_TIMEOUT_MS, signal, tooLate, async () => {
      const status = await readStatus(cluster);
      return shards.every((shard) => status.shards.includes(shard) && isReady(status, shard));
    });
  });
  console.error(`Giving up the resharding to ${counted(resharding)}.`);
  smaller.save();
}

function counted(shards: string[]): string {
  return shards.length === 1 ? "1 shard" : `${shards.length} shards`;
}

/** The settings with those tablets alone; the others are retired. */
function split(settings: Settings, stays: (shard: string) => boolean): Settings {
  const { tablets, retired = [] } = settings;
  return {
    ...settings,
    tablets: tablets.filter(({ shard }) => stays(shard)),
    retired: [...retired, ...tablets.filter(({ shard }) => !stays(shard))],
  };
}
