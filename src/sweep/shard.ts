// The sweep of one shard by one of several servers: waits until no other sweeps it, does so for a while, and tells in
// the lease how far it is.

import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { ExpiredKey, ExpiredRows } from "../database/expired.ts";
import { StoreError } from "../store/error.ts";
import type { EntryKey, Store } from "../store/store.ts";
import { Lease, type LeaseState } from "./lease.ts";
import { Pace, type Pressure } from "./pace.ts";
import { COUNTED_ROWS, emptyReport, parseReport, type SweepReport, type SweepStatus } from "./report.ts";
import { type SweepStep, sweepStep } from "./step.ts";

/** A holder that dies is replaced within two of these: its lease expires, and one of those waiting looks again. */
const LEASE_MS = 10_000;
const RENEW_MS = LEASE_MS / 3;
/** After about so long a holder steps back, when there is nothing to do, so that servers share the shards. */
const TERM_MS = 300_000;
/** For both statements of a step, and for any other of the sweep's. */
const STEP_MS = 3_000;
/** A pass over a backlog begins at the oldest again after so long: some may have been written that expired before. */
const PASS_MS = 30_000;
const FAILED_MS = 1_000;

/** A connection to the shard's primary. */
export interface Primary {
  expired: ExpiredRows;
  /** Does something when no other shard of the same machine is swept. */
  turn: <T>(work: () => Promise<T>) => Promise<T>;
  close: () => Promise<void>;
}

export interface ShardSweepOptions {
  /** Has the lease. */
  store: Store;
  leaseKey: EntryKey;
  open: () => Primary;
  pressure: () => Pressure;
  /** A name for this server. */
  holder: string;
  log: Logger;
}

export class ShardSweep {
  /** In the middle of a backlog. */
  private isBusy = false;
  private readonly lease: Lease;
  private readonly end = new AbortController();
  private readonly ended: Promise<void>;
  /** Of whoever sweeps; of the last one, if nobody does. */
  private report = emptyReport("");
  /** Until when, as performance.now() counts, another that has told the report holds the lease. */
  private heldUntil = 0;
  /** Whatever expired before this instant is reclaimed, unless it was written since. */
  private reclaimedUntil = performance.now();
  /** Whether that is more than a guess. */
  private isAgeKnown = false;

  constructor(private readonly options: ShardSweepOptions) {
    this.lease = new Lease(options.store, options.leaseKey, LEASE_MS);
    this.ended = this.run();
  }

  /** Ends after the step under way, and gives the lease back. */
  async stop() {
    this.end.abort();
    await this.ended;
  }

  /** What is known as of now. */
  status(): SweepStatus {
    const isHeld = this.lease.remainingMs > 0 || performance.now() < this.heldUntil;
    const oldestAgeMs = Math.round(performance.now() - this.reclaimedUntil);
    return { ...this.report, holder: isHeld ? this.report.holder : "", oldestAgeMs };
  }

  private async run() {
    while (!this.end.signal.aborted) {
      try {
        const waitMs = await this.takeOrWait();
        if (waitMs === 0) await this.sweepForATerm();
        // After a term longer than others wait, so that it is another's turn.
        await pause(waitMs || LEASE_MS * (1.5 + Math.random() / 2), this.end.signal);
      } catch (error) {
        this.warn(error);
        await pause(FAILED_MS * (0.5 + Math.random()), this.end.signal);
      }
    }
  }

  /** Takes the lease and returns 0, or says how long to wait for it. */
  private async takeOrWait(): Promise<number> {
    const held = await this.lease.read();
    if (held) {
      this.learn(held);
      return held.remainingMs + (Math.random() * LEASE_MS) / 2;
    }
    const report = emptyReport(this.options.holder);
    if (!(await this.lease.take(this.note(report)))) return Math.random() * RENEW_MS;
    this.report = report;
    return 0;
  }

  private learn({ note, remainingMs }: LeaseState) {
    const report = parseReport(note);
    if (!report) return;
    const now = performance.now();
    this.report = report;
    this.heldUntil = now + remainingMs;
    if (report.oldestAgeMs === null) return;
    this.reclaimedUntil = now - (LEASE_MS - remainingMs) - report.oldestAgeMs;
    this.isAgeKnown = true;
  }

  /** A guess at the age is not passed on. */
  private note(report: SweepReport): string {
    const oldestAgeMs = this.isAgeKnown ? Math.round(performance.now() - this.reclaimedUntil) : null;
    return JSON.stringify({ ...report, oldestAgeMs } satisfies SweepReport);
  }

  private async sweepForATerm() {
    const primary = this.options.open();
    const lost = new AbortController();
    const over = AbortSignal.any([lost.signal, this.end.signal]);
    const until = performance.now() + TERM_MS * (0.5 + Math.random());
    const end = () => lost.abort();
    try {
      await Promise.all([
        this.sweepUntil(primary, over, until).finally(end),
        this.keepLease(primary.expired, over, end),
      ]);
    } finally {
      this.isBusy = false;
      this.heldUntil = 0;
      await Promise.allSettled([this.lease.release(), primary.close()]);
    }
  }

  /** Beside the sweep, so that no step or pause is too long for the lease. */
  private async keepLease(expired: ExpiredRows, over: AbortSignal, onLost: () => void) {
    let waitMs = RENEW_MS;
    for (;;) {
      await pause(waitMs, over);
      if (over.aborted) return;
      waitMs = RENEW_MS;
      try {
        if (!(await this.lease.renew(this.note(this.report)))) onLost();
        if (this.isBusy) this.report.backlogRows = await expired.count(COUNTED_ROWS, performance.now() + STEP_MS);
      } catch (error) {
        this.warn(error);
        if (this.lease.remainingMs === 0) onLost();
        waitMs = FAILED_MS;
      }
    }
  }

  /** Returns when it is over, or when the term is and nothing is left to do. */
  private async sweepUntil({ expired, turn }: Primary, over: AbortSignal, until: number) {
    const pace = new Pace();
    let passBegun = Number.NEGATIVE_INFINITY;
    let last: ExpiredKey | null = null;
    while (!over.aborted && (this.isBusy || performance.now() < until)) {
      const begun = performance.now();
      const isPassOver: boolean = !last || begun - passBegun > PASS_MS;
      // Also if the step fails: from the beginning, where those are that are not purged yet, it may fail again.
      if (isPassOver) passBegun = begun;
      try {
        if (!this.isAgeKnown) await this.measureAge(expired);
        const from: ExpiredKey | null = isPassOver ? null : last;
        const step: SweepStep | null = await turn(async () =>
          over.aborted ? null : await this.step(expired, pace.rows, from),
        );
        if (!step) return;
        last = step.last;
        this.isBusy = last !== null;
        this.reclaimedUntil = Math.max(this.reclaimedUntil, last ? begun - last.ageMs : passBegun);
        const latenessMs = performance.now() - this.reclaimedUntil;
        // With its wait for a turn: the share is of the machine's time.
        const pauseMs = pace.pauseAfter(step, performance.now() - begun, latenessMs, this.options.pressure);
        this.report.reclaimedRows += step.deleted;
        this.report.share = pace.share;
        if (!this.isBusy) this.report.backlogRows = 0;
        await pause(pauseMs, over);
      } catch (error) {
        this.warn(error);
        await pause(pace.pauseAfterFailure(performance.now() - begun), over);
      }
    }
  }

  private async step(expired: ExpiredRows, rows: number, from: ExpiredKey | null): Promise<SweepStep> {
    const begun = performance.now();
    const step = await sweepStep(expired, { rows, ms: STEP_MS }, from);
    this.report.stepMs = Math.round(performance.now() - begun);
    return step;
  }

  /** What was left behind by whoever swept before, where nobody has told. */
  private async measureAge(expired: ExpiredRows) {
    const [oldest] = await expired.find(1, null, performance.now() + STEP_MS);
    this.reclaimedUntil = performance.now() - (oldest?.ageMs ?? 0);
    this.isAgeKnown = true;
  }

  private warn(error: unknown) {
    const { log } = this.options;
    // No other error is one of the database's; its text could quote anything.
    if (error instanceof StoreError) log.warn({ code: error.code, reason: error.reason }, "sweeping failed");
    else log.error({ name: (error as Error).name }, "sweeping failed");
  }
}

/** Shorter when it is over. */
export async function pause(ms: number, over: AbortSignal) {
  await sleep(ms, undefined, { signal: over, ref: false }).catch(() => {});
}
