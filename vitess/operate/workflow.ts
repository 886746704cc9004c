// Vitess's own resharding, a workflow of VReplication: made, watched, switched and completed through vtctld.

import { setTimeout as sleep } from "node:timers/promises";
import type { Vtctl } from "../run/vtctl.ts";
import { ClusterProblem } from "../support/problem.ts";
import { KEYSPACE } from "../topology/topology.ts";
import { isCollected } from "./collector.ts";

export const WORKFLOW = "reshard";
/**
 * How long a switch may keep calls waiting. It gives up, and the old shards serve again, before those calls reach their
 * own deadline (`KV_DEADLINE_MS`).
 */
const SWITCH_TIMEOUT_SECONDS = 5;
const NOT_READY_TEXT = "vreplication engine is closed";
const ASK_ATTEMPTS = 20;
const ASK_AGAIN_MS = 500;
/**
 * How often streams may be started again. Each start goes on where they were, and it takes one for an interrupted switch
 * and one for each dropped table that is met.
 */
const RESTARTS = 20;

interface Progress {
  streams: number;
  /** Streams that have not copied every row yet. */
  copying: number;
  rowsCopied: number;
  /** Streams that don't run: an interrupted switch has stopped them, or one that has succeeded. */
  stopped: number;
  /** How far the slowest is behind what is written. */
  lagSeconds: number;
  /** Whether a switch has succeeded. */
  switched: boolean;
  /** Whether there was no table when it was made. */
  empty: boolean;
}

/** What is read of the output of `Reshard show`. */
interface Shown {
  workflows: {
    max_v_replication_transaction_lag: string;
    shard_streams: Record<
      string,
      { streams: { state: string; message: string; position: string; copy_states: unknown[]; rows_copied: string }[] }
    >;
  }[];
}

/** What is read of the output of `GetSrvKeyspaces`: which shards serve, for one type of tablets. */
interface Partition {
  served_type: number;
  shard_references: { name: string }[];
  shard_tablet_controls?: { name: string; query_service_disabled?: boolean }[];
}

/** By Vitess's numbers. */
const SERVED_TYPES = ["unknown", "primary", "replica", "rdonly"];

export class Workflow {
  private restarts = 0;

  constructor(private readonly vtctl: Vtctl) {}

  private call(command: string, args: string[] = [], signal?: AbortSignal, kind = "Reshard") {
    return this.vtctl([kind, `--target-keyspace=${KEYSPACE}`, `--workflow=${WORKFLOW}`, command, ...args], signal);
  }

  private async names(signal?: AbortSignal): Promise<string[]> {
    return JSON.parse(await this.asked(() => this.vtctl(["Workflow", `--keyspace=${KEYSPACE}`, "list"], signal)));
  }

  /** Asks again while a tablet that has just become a primary is not ready to answer. */
  private async asked(ask: () => Promise<string>): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask();
      } catch (error) {
        if (attempt === ASK_ATTEMPTS || !(error as Error).message.includes(NOT_READY_TEXT)) throw error;
        await sleep(ASK_AGAIN_MS);
      }
    }
  }

  async exists(signal?: AbortSignal): Promise<boolean> {
    return (await this.names(signal)).includes(WORKFLOW);
  }

  /**
   * Names schema changes that go on or have left something: a switch is refused as long as there are any. Asks for the
   * removal of what finished ones have left, which Vitess would keep for a day; that takes seconds.
   */
  async schemaChanges(signal?: AbortSignal): Promise<string[]> {
    const others = (await this.names(signal)).filter((name) => name !== WORKFLOW);
    if (others.length > 0) await this.vtctl(["OnlineDDL", "cleanup", KEYSPACE, "all"], signal);
    return others;
  }

  /** Not to be interrupted: half of it could not be resumed. It only takes a moment. */
  async create(sources: string[], targets: string[]) {
    await this.call("create", [`--source-shards=${sources}`, `--target-shards=${targets}`]);
  }

  async progress(signal?: AbortSignal): Promise<Progress> {
    const show = () => this.call("show", ["--include-logs=false"], signal);
    const { workflows }: Shown = JSON.parse(await this.asked(show));
    const streams = workflows
      .flatMap((workflow) => Object.values(workflow.shard_streams))
      .flatMap((each) => each.streams);
    const failed = streams.find(({ state, message }) => state === "Error" && !this.passes(message));
    if (failed) throw new ClusterProblem(`The copy to the new shards has failed: ${failed.message}`);
    const copying = streams.filter((each) => each.state !== "Running" || !each.position || each.copy_states.length > 0);
    return {
      streams: streams.length,
      copying: copying.length,
      stopped: streams.filter(({ state }) => state === "Stopped" || state === "Error").length,
      empty: streams.some(({ message }) => message === "There is nothing to replicate"),
      switched: streams.length > 0 && streams.every(({ message }) => message === "FROZEN"),
      rowsCopied: streams.reduce((sum, { rows_copied }) => sum + Number(rows_copied), 0),
      lagSeconds: Math.max(0, ...workflows.map((workflow) => Number(workflow.max_v_replication_transaction_lag))),
    };
  }

  /**
   * Makes the new shards serve all types of tablets. It may be repeated when half of it has happened. Not to be
   * interrupted: it undoes what it can't complete, except for reads. Fails when the new shards don't catch up in time.
   */
  async switchTraffic(lagSeconds: number) {
    const bounds = [`--max-replication-lag-allowed=${lagSeconds}s`, `--timeout=${SWITCH_TIMEOUT_SECONDS}s`];
    await this.call("switchtraffic", bounds);
  }

  /**
   * Ends it, and with it the way back; may be repeated. The old shards' records stay: `Reshard complete` would delete
   * them before the streams, and could not be repeated after an interruption in between. The client offers the choice
   * under another name only, for the same call to vtctld.
   */
  async complete() {
    await this.call("complete", ["--keep-data"], undefined, "MoveTables");
  }

  /** Makes read traffic go to the old shards again, if a switch that has failed was so far. */
  async undoReads() {
    await this.call("reversetraffic", ["--tablet-types=replica,rdonly"]).catch((error) => {
      // It was not so far.
      if (!(error instanceof ClusterProblem)) throw error;
    });
  }

  /** Starts streams that an interrupted switch has stopped, or that have failed for what passes; not without end. */
  async start(signal?: AbortSignal) {
    if (this.restarts === RESTARTS) {
      throw new ClusterProblem(`The copy to the new shards has stopped again after ${RESTARTS} restarts.`);
    }
    this.restarts += 1;
    await this.call("start", [], signal);
  }

  /** Whether a stream that has failed so may be started again. */
  private passes(message: string): boolean {
    return isCollected(message) && this.restarts < RESTARTS;
  }

  /** The shards to which Vitess now leads writes. */
  async servingShards(signal?: AbortSignal): Promise<string[]> {
    const partitions = await this.partitions(signal);
    const primaries = partitions.filter(({ served_type }) => SERVED_TYPES[served_type] === "primary");
    return primaries.flatMap(({ shard_references }) => shard_references.map(({ name }) => name));
  }

  /**
   * Lets the tablets of these shards answer queries. A resharding that was given up, or has led away from shards with
   * the same names, may have left them forbidden to.
   */
  async allowQueries(shards: string[], signal?: AbortSignal) {
    for (const { served_type, shard_tablet_controls = [] } of await this.partitions(signal)) {
      for (const { name, query_service_disabled } of shard_tablet_controls) {
        if (!query_service_disabled || !shards.includes(name)) continue;
        const type = SERVED_TYPES[served_type] as string;
        const shard = `${KEYSPACE}/${name}`;
        await this.vtctl(["SetShardTabletControl", "--disable-query-service=false", shard, type], signal);
        await this.vtctl(["RefreshStateByShard", shard], signal);
      }
    }
  }

  private async partitions(signal?: AbortSignal): Promise<Partition[]> {
    const cells: Record<string, { partitions: Partition[] }> = JSON.parse(
      await this.vtctl(["GetSrvKeyspaces", KEYSPACE], signal),
    );
    return Object.values(cells).flatMap(({ partitions }) => partitions);
  }
}
