// The sweep of a server: one task for each shard that there is, as shards come and go.

import type { Logger } from "pino";
import { pause } from "./loop.ts";
import { sweepShard } from "./shard.ts";
import { openShard, type Shard, type ShardOptions } from "./shards.ts";
import { type SweepStatus, sweepStatus } from "./status.ts";

const FOLLOW_MS = 1_000;
/** For how long an answer about the shards is repeated: what a monitor asks must cost the same however many ask. */
const STATUS_FRESH_MS = 1_000;

export interface SweeperOptions extends ShardOptions {
  /** How many calls this server has taken so far. */
  calls: () => number;
  /** A name for this server. */
  holder: string;
  log: Logger;
}

interface Task {
  shard: Shard;
  end: () => Promise<void>;
}

export class Sweeper {
  private readonly tasks = new Map<string, Task>();
  private readonly over = new AbortController();
  private readonly ended: Promise<void>;
  private asked: { atMs: number; answer: Promise<Map<string, SweepStatus>> } | undefined;

  constructor(private readonly options: SweeperOptions) {
    this.ended = this.follow();
  }

  /** Ends what is under way, and gives all leases back. */
  async stop() {
    this.over.abort();
    await this.ended;
  }

  /** By shard, without those that do not answer: how its sweep stands, whoever does it. */
  status(): Promise<Map<string, SweepStatus>> {
    const now = performance.now();
    if (!this.asked || now - this.asked.atMs > STATUS_FRESH_MS) this.asked = { atMs: now, answer: this.ask() };
    return this.asked.answer;
  }

  private async ask(): Promise<Map<string, SweepStatus>> {
    const read = async ([name, { shard }]: [string, Task]) => [name, await sweepStatus(shard)] as const;
    const answers = await Promise.allSettled(Array.from(this.tasks, read));
    return new Map(answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : [])));
  }

  private async follow() {
    const ending = new Set<Promise<void>>();
    const drop = (name: string, { end }: Task) => {
      this.tasks.delete(name);
      const ended: Promise<void> = end().finally(() => ending.delete(ended));
      ending.add(ended);
    };
    const { signal } = this.over;
    while (!signal.aborted) {
      const names = new Set(this.options.shards.names());
      for (const [name, task] of this.tasks) if (!names.has(name)) drop(name, task);
      for (const name of names) if (!this.tasks.has(name)) this.tasks.set(name, this.begin(name));
      await pause(FOLLOW_MS, signal);
    }
    for (const [name, task] of this.tasks) drop(name, task);
    await Promise.all(ending);
  }

  private begin(name: string): Task {
    const { calls, holder, log } = this.options;
    const shard = openShard(name, this.options);
    const over = new AbortController();
    const swept = sweepShard({ ...shard, calls, holder, log: log.child({ shard: name }) }, over.signal);
    const end = async () => {
      over.abort();
      await swept;
      await shard.close();
    };
    return { shard, end };
  }
}
