// The sweep of one shard by one of several servers: waits until no other sweeps it, does so for a while, and tells in
// the lease how far it is.

import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { StoreError } from "./errors.ts";
import { Lease } from "./lease.ts";
import { Pace, type Pressure } from "./pace.ts";
import type { BatchStore, EntryKey, ExpiredKey, ExpiredStore } from "./store.ts";
import { type SweepStep, sweepStep } from "./sweep.ts";
import { COUNTED_ROWS, emptyReport, parseReport, type SweepReport } from "./sweep-report.ts";

/** A holder that dies is replaced within two of these: its lease expires, and one of those waiting looks again. */
const LEASE_MS = 10_000;
const RENEW_MS = LEASE_MS / 3;
/** After about so long a holder steps back, when there is nothing to do, so that servers share the shards. */
const TERM_MS = 300_000;
/** For both statements of a step, and for a count. */
const STEP_MS = 3_000;
/** A pass over a backlog begins at the oldest again after so long: some may have been written that expired before. */
const PASS_MS = 30_000;
const FAILED_MS = 1_000;

/** A connection to the shard's primary. */
export interface Primary {
  store: ExpiredStore;
  /** Does something when no other shard of the same machine is swept. */
  turn: <T>(work: () => Promise<T>) => Promise<T>;
  close: () => Promise<void>;
}

export interface ShardSweepOptions {
  /** Has the lease. */
  store: BatchStore;
  leaseKey: EntryKey;
  open: () => Primary;
  pressure: () => Pressure;
  /** A name for this server. */
  holder: string;
  log: Logger;
}

export class ShardSweep {
  /** Whether a step is under way. */
  isSweeping = false;
  /** In the middle of a backlog. */
  private isBusy = false;
  private readonly lease: Lease;
  private readonly end = new AbortController();
  private readonly ended: Promise<void>;
  private report = emptyReport("");
  /** Whatever expired before this instant, as performance.now() counts, is reclaimed, unless it was written since. */
  private reclaimedUntil = performance.now();

  constructor(private readonly options: ShardSweepOptions) {
    this.lease = new Lease(options.store, options.leaseKey, LEASE_MS);
    this.ended = this.run();
  }

  /** Ends after the step under way, and gives the lease back. */
  async stop() {
    this.end.abort();
    await this.ended;
  }

  /** The report of whoever sweeps, as of now; of the last one, if nobody does. */
  status(): SweepReport {
    return { ...this.report, oldestAgeMs: Math.round(performance.now() - this.reclaimedUntil) };
  }

  private async run() {
    while (!this.end.signal.aborted) {
      try {
        const waitMs = await this.takeOrWait();
        if (waitMs === 0) await this.sweepForATerm();
        // After a term longer than others wait, so that it is another's turn.
        await this.pause(waitMs || LEASE_MS * (1.5 + Math.random() / 2));
      } catch (error) {
        await this.failed(error);
      }
    }
  }

  /** Takes the lease and returns 0, or says how long to wait for it. */
  private async takeOrWait(): Promise<number> {
    const held = await this.lease.read();
    if (held) {
      this.learn(held.note, LEASE_MS - held.remainingMs);
      return held.remainingMs + (Math.random() * LEASE_MS) / 2;
    }
    this.report = emptyReport(this.options.holder);
    if (await this.lease.take(JSON.stringify(this.status()))) return 0;
    this.report = emptyReport("");
    return Math.random() * RENEW_MS;
  }

  private learn(note: string, writtenMsAgo: number) {
    const report = parseReport(note);
    if (!report) return;
    this.report = report;
    this.reclaimedUntil = performance.now() - writtenMsAgo - report.oldestAgeMs;
  }

  private async sweepForATerm() {
    const until = performance.now() + TERM_MS * (0.5 + Math.random());
    const primary = this.options.open();
    try {
      await this.sweepUntil(primary, () => this.end.signal.aborted || (!this.isBusy && performance.now() > until));
    } finally {
      this.isBusy = false;
      this.report = { ...this.report, holder: "" };
      await Promise.allSettled([this.lease.release(), primary.close()]);
    }
  }

  /** Returns when it is over, or the lease lost. */
  private async sweepUntil({ store, turn }: Primary, isOver: () => boolean) {
    const pace = new Pace();
    let isFirst = true;
    let passBegun = 0;
    let last: ExpiredKey | null = null;
    while (!isOver()) {
      try {
        if (this.lease.remainingMs < LEASE_MS - RENEW_MS && !(await this.renew(store))) return;
        const begun = performance.now();
        if (begun - passBegun > PASS_MS) last = null;
        if (!last) passBegun = begun;
        const step = await turn(() => this.step(store, pace.rows, last));
        // With its wait for a turn: the share is of the machine's time.
        const tookMs = performance.now() - begun;
        // What was left behind by whoever swept before is only known now.
        if (isFirst) this.reclaimedUntil = begun - step.oldestAgeMs;
        isFirst = false;
        last = step.last;
        this.isBusy = last !== null;
        this.reclaimedUntil = Math.max(this.reclaimedUntil, last ? begun - last.ageMs : passBegun);
        const pauseMs = pace.pauseAfter(step, tookMs, this.options.pressure);
        this.tell(step, pace.share);
        await this.pause(pauseMs);
      } catch (error) {
        last = null;
        await this.failed(error);
      }
    }
  }

  private async step(store: ExpiredStore, rows: number, last: ExpiredKey | null): Promise<SweepStep> {
    const begun = performance.now();
    this.isSweeping = true;
    try {
      return await sweepStep(store, { rows, ms: STEP_MS }, last);
    } finally {
      this.isSweeping = false;
      this.report.stepMs = Math.round(performance.now() - begun);
    }
  }

  private tell({ deleted }: SweepStep, share: number) {
    this.report.reclaimedRows += deleted;
    this.report.share = share;
    if (!this.isBusy) this.report.backlogRows = 0;
  }

  private async renew(store: ExpiredStore): Promise<boolean> {
    this.report.backlogRows = this.isBusy ? await store.countExpired(COUNTED_ROWS, performance.now() + STEP_MS) : 0;
    return this.lease.renew(JSON.stringify(this.status()));
  }

  private async failed(error: unknown) {
    const { log } = this.options;
    // No other error is one of the database's; its text could quote anything.
    if (error instanceof StoreError) log.warn({ code: error.code, reason: error.reason }, "sweeping failed");
    else log.error({ name: (error as Error).name }, "sweeping failed");
    await this.pause(FAILED_MS * (0.5 + Math.random()));
  }

  /** Shorter when it is to end. */
  private async pause(ms: number) {
    await sleep(ms, undefined, { signal: this.end.signal, ref: false }).catch(() => {});
  }
}
