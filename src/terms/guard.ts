// The fence of one shard: holds answers back until they may be told, and renews the shard's lease.

import type { Logger } from "pino";
import type { Answered, Fence } from "../database/fence.ts";
import { type Tag, termOf } from "../database/tag.ts";
import type { TermFacts } from "../database/terms.ts";
import { StoreError } from "../store/error.ts";
import { Beats } from "./beats.ts";
import { isMarked, isPlanned, readMark, writeMark } from "./change.ts";
import { type Clock, systemTime, type Time } from "./clock.ts";
import type { Terms } from "./terms.ts";

/** How a guard reaches its shard's primary. Each throws `StoreError`. */
export interface Primary {
  /** What it says of its term, and the mark. */
  facts: () => Promise<TermFacts>;
  /** Leaves a mark in place of the one among the facts; whether that was still there. */
  mark: (facts: TermFacts, value: Buffer) => Promise<boolean>;
  /** Writes the number into an entry of this process's, and returns the tag of who has acknowledged that. */
  beat: (beat: number) => Promise<Tag>;
}

export interface GuardOptions {
  shard: string;
  terms: Terms;
  clock: Clock;
  /** How long anybody's leases are, which a term is waited for. */
  holdMs: number;
  primary: Primary;
  packets: boolean;
  log?: Logger;
  /** What waits for terms to be clear go by. */
  time?: Time;
}

/** Between looks whether another has cleared a term. */
const LOOK_EVERY_MS = 100;

export class Guard implements Fence {
  private renewing: Promise<Tag> | undefined;
  private readonly clearing = new Map<number, Promise<void>>();
  readonly beats = new Beats();

  private readonly time: Time;

  constructor(private readonly options: GuardOptions) {
    this.time = options.time ?? systemTime;
  }

  get packets(): boolean {
    return this.options.packets;
  }

  pass(answer: Answered, deadline: number): Promise<void> | undefined {
    const { tags, isCommit, sentAtMs, receivedAtMs } = answer;
    const { terms, clock } = this.options;
    const receivedAt = clock.at(receivedAtMs);
    const sentAt = isCommit ? clock.since(sentAtMs) : undefined;
    if (sentAt !== undefined) for (const tag of tags) terms.acknowledged(tag, sentAt);
    const [tag] = tags;
    if (
      tag === undefined ||
      tags.length > 1 ||
      !terms.isClear(tag) ||
      !(isCommit || terms.isCovered(tag, receivedAt))
    ) {
      return this.hold(answer, receivedAt, deadline);
    }
    // The answer need not wait for it, nor know how it went.
    if (!isCommit && terms.isAging(tag, receivedAt)) this.renew().catch(() => {});
    return undefined;
  }

  private hold({ tags, writes, isCommit }: Answered, receivedAt: number, deadline: number) {
    const work = tags.length === 0 ? this.confirm(deadline) : this.wait(tags, isCommit, receivedAt);
    return held(work, writes, deadline);
  }

  private async wait(tags: Tag[], isCommit: boolean, receivedAt: number) {
    const { terms } = this.options;
    for (const tag of tags) {
      // First, because another shard's tag fails here, and would be waited for in vain.
      while (!isCommit && !terms.isCovered(tag, receivedAt)) {
        if ((await this.renew()) !== tag) throw new StoreError("unavailable", "another primary has answered");
      }
      await this.clear(tag);
    }
  }

  /** A commit that is acknowledged later than another is in the same term or a later one: if that is clear, so is this. */
  private async confirm(deadline: number) {
    await this.renewing?.catch(() => {});
    for (;;) {
      const tag = await this.renew().catch(() => undefined);
      if (tag !== undefined) return this.clear(tag);
      if (performance.now() >= deadline) throw new StoreError("unavailable", "no primary has confirmed it");
      await this.time.sleep(LOOK_EVERY_MS);
    }
  }

  /** Sees which term it is, so that the first answer finds it clear. */
  async begin() {
    await this.clear((await this.options.primary.facts()).tag);
  }

  /** Commits something, and returns the tag of who has acknowledged that. */
  renew(): Promise<Tag> {
    const { terms, clock, primary } = this.options;
    const work = async () => {
      const sentAt = clock.at(this.time.now());
      const beat = this.beats.next(sentAt);
      const tag = await primary.beat(beat);
      terms.acknowledged(tag, sentAt);
      this.beats.acknowledged(beat);
      return tag;
    };
    this.renewing ??= work().finally(() => {
      this.renewing = undefined;
    });
    return this.renewing;
  }

  /** Resolves when the tag's term is clear. */
  private async clear(tag: Tag) {
    const term = termOf(tag);
    if (this.options.terms.isClear(tag)) return;
    let clearing = this.clearing.get(term);
    if (!clearing) {
      clearing = this.waitUntilClear(term).finally(() => this.clearing.delete(term));
      this.clearing.set(term, clearing);
    }
    await clearing;
  }

  /**
   * Ends when the term is clear, or when it has been held for long enough and the shard has another primary by now: then
   * acknowledgements may be told as well.
   */
  private async waitUntilClear(term: number) {
    const { terms, primary, shard, log } = this.options;
    const seenAtMs = this.time.now();
    const heldMs = () => this.time.now() - seenAtMs;
    let { holdMs } = this.options;
    // On Workers this clock is the wall clock, which may be set forward meanwhile.
    let isHeld = false;
    this.time.sleep(holdMs).then(() => {
      isHeld = true;
    });
    for (;;) {
      const facts = await primary.facts().catch(() => undefined);
      const mark = facts && readMark(facts.mark);
      // Who cleared the term before may have had longer leases.
      if (mark) holdMs = Math.max(holdMs, mark.leaseMs);
      const leftMs = holdMs - heldMs();
      if (facts && termOf(facts.tag) === term) {
        if (mark && isMarked(facts, mark)) {
          terms.cleared(term, mark.leaseMs);
          if (heldMs() >= LOOK_EVERY_MS) log?.info({ shard, heldMs: Math.round(heldMs()) }, "another primary");
          return;
        }
        // Read again when it is there: leases are as long as it says, whoever has left it.
        const isOver = (isHeld && leftMs <= 0) || (mark && isPlanned(facts, mark));
        if (isOver && (await this.mark(facts))) continue;
      } else if (isHeld && leftMs <= 0) return;
      await this.time.sleep(leftMs > 0 ? Math.min(leftMs, LOOK_EVERY_MS) : LOOK_EVERY_MS);
    }
  }

  private mark(facts: TermFacts): Promise<boolean> {
    const { primary, holdMs } = this.options;
    return primary.mark(facts, writeMark(facts, holdMs)).catch(() => false);
  }
}

/** What was written is written, so that who is not told of it can't know. */
export async function held(work: Promise<void>, writes: boolean, deadline: number): Promise<void> {
  try {
    await within(work, deadline);
  } catch (error) {
    const reason = error instanceof StoreError ? error.reason : "unexpected";
    throw new StoreError(writes ? "outcome_unknown" : "unavailable", reason);
  }
}

/** Rejects if it has not happened by the deadline. What is under way goes on. */
async function within(work: Promise<void>, deadline: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = () => reject(new StoreError("unavailable", "no primary could be sure in time"));
    timer = setTimeout(fail, Math.max(0, deadline - performance.now()));
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
