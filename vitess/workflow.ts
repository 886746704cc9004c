// Vitess's own resharding, a workflow of VReplication: made, watched, switched and completed through vtctld.

import { ClusterProblem } from "./problem.ts";
import { KEYSPACE } from "./topology.ts";
import type { Vtctl } from "./vtctl.ts";

const NAME = "reshard";
/**
 * How long a switch may keep calls waiting. It gives up, and the old shards serve again, before those calls reach their
 * own deadline (`KV_DEADLINE_MS`).
 */
const SWITCH_TIMEOUT_SECONDS = 5;

interface Progress {
  streams: number;
  /** Streams that have not copied every row yet. */
  copying: number;
  rowsCopied: number;
  /** How far the slowest is behind what is written. */
  lagSeconds: number;
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

export class Workflow {
  constructor(private readonly vtctl: Vtctl) {}

  private call(command: string, args: string[] = [], signal?: AbortSignal, kind = "Reshard") {
    return this.vtctl([kind, `--target-keyspace=${KEYSPACE}`, `--workflow=${NAME}`, command, ...args], signal);
  }

  private async names(signal?: AbortSignal): Promise<string[]> {
    return JSON.parse(await this.vtctl(["Workflow", `--keyspace=${KEYSPACE}`, "list"], signal));
  }

  async exists(signal?: AbortSignal): Promise<boolean> {
    return (await this.names(signal)).includes(NAME);
  }

  /**
   * Names schema changes that go on or have left something: a switch is refused as long as there are any. Asks for the
   * removal of what finished ones have left, which Vitess would keep for a day; that takes seconds.
   */
  async schemaChanges(signal?: AbortSignal): Promise<string[]> {
    const others = (await this.names(signal)).filter((name) => name !== NAME);
    if (others.length > 0) await this.vtctl(["OnlineDDL", "cleanup", KEYSPACE, "all"], signal);
    return others;
  }

  /** Not to be interrupted: half of it could not be resumed. It only takes a moment. */
  async create(sources: string[], targets: string[]) {
    await this.call("create", [`--source-shards=${sources}`, `--target-shards=${targets}`]);
  }

  async progress(signal?: AbortSignal): Promise<Progress> {
    const { workflows }: Shown = JSON.parse(await this.call("show", ["--include-logs=false"], signal));
    const streams = workflows
      .flatMap((workflow) => Object.values(workflow.shard_streams))
      .flatMap((each) => each.streams);
    const failed = streams.find(({ state }) => state === "Error");
    if (failed) throw new ClusterProblem(`The copy to the new shards has failed: ${failed.message}`);
    const copying = streams.filter((each) => each.state !== "Running" || !each.position || each.copy_states.length > 0);
    return {
      streams: streams.length,
      copying: copying.length,
      rowsCopied: streams.reduce((sum, { rows_copied }) => sum + Number(rows_copied), 0),
      lagSeconds: Math.max(0, ...workflows.map((workflow) => Number(workflow.max_v_replication_transaction_lag))),
    };
  }

  /**
   * Makes the new shards serve all types of tablets. It may be repeated, whether it has happened, or half of it, or
   * nothing; not to be interrupted, it undoes what it can't complete. Fails when the new shards don't catch up in time.
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

  /** The shards to which Vitess now leads writes. */
  async servingShards(): Promise<string[]> {
    const cells: Record<string, { partitions: { served_type: number; shard_references: { name: string }[] }[] }> =
      JSON.parse(await this.vtctl(["GetSrvKeyspaces", KEYSPACE]));
    const primaries = Object.values(cells).flatMap(({ partitions }) =>
      partitions.filter(({ served_type }) => served_type === PRIMARY),
    );
    return primaries.flatMap(({ shard_references }) => shard_references.map(({ name }) => name));
  }
}

/** Vitess's number of that type of tablets. */
const PRIMARY = 1;
