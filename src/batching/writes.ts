// A batch of writes of all kinds, in one shard.
//
// Of a key whose writes do not depend on what is there, the last is sent. For the others the rows are read without
// locks, the writes are decided on them one after the other, and what comes out is written only where the row still is
// what was read; where it is not, another server was first, and the writes are decided again. So a thousand callers of
// one key cost a row, and no lock is held while this process thinks.
//
// Every attempt leaves a revision of its own in the row. Whoever finds one that it has tried to leave there knows that
// this attempt has happened, be its answer lost or wrong.

import type { Change, Put } from "../database/statements.ts";
import type { Known, Table } from "../database/table.ts";
import { BATCH_BYTES } from "../limits.ts";
import { type Answer, decide, isBlind, isLive, type Write } from "../store/decide.ts";
import { newRevision } from "../store/version.ts";
import { attempt, rowOf, settle, settleAll, undone, valueLength, type WriteCall } from "./attempts.ts";
import { afterFailure, type Batch, DONE, isUnknown, type Rest, together } from "./batch.ts";
import { applyTogether, type Connected, type IsOfShard, partition } from "./together.ts";

/** Transactions of several keys under way at once. */
const TOGETHER_AT_ONCE = 4;

/** The writes of one key with what they come to. */
interface Plan {
  calls: WriteCall[];
  answers: Answer[];
  change: Change;
}

/** Settles the writes, or returns them. */
export function applyWrites(
  table: Table,
  batch: Batch<WriteCall>,
  deadline: number,
  isOfShard: IsOfShard = () => true,
): Promise<Rest<WriteCall>> {
  return new WriteBatch(table, deadline, isOfShard).apply(batch);
}

class WriteBatch {
  constructor(
    private readonly table: Table,
    private readonly deadline: number,
    private readonly isOfShard: IsOfShard,
  ) {}

  async apply(batch: Batch<WriteCall>): Promise<Rest<WriteCall>> {
    const { separate, connected } = partition(batch, this.isOfShard);
    const kinds = Map.groupBy(separate, (calls) => {
      if (calls.every(({ write, tried }) => write.kind === "look" && !tried)) return "look";
      const isAllBlind = calls.every(({ write, tried }) => isBlind(write as Write) && !tried);
      if (isAllBlind) return calls.at(-1)?.write.kind;
      return valueBytesOf(calls);
    });
    const rests = Array.from(kinds, ([kind, groups]) => {
      if (kind === "put") return this.putAll(groups);
      if (kind === "delete") return this.deleteAll(groups);
      if (kind === "look") return this.lookAtAll(groups);
      return this.decideAll(groups, kind as number | undefined);
    });
    if (connected.length > 0) rests.push(this.decideTogether(connected));
    return together(await Promise.all(rests));
  }

  private putAll(groups: WriteCall[][]) {
    const puts = groups.map((calls) => putOf(calls.at(-1) as WriteCall));
    const wasDone = async () => (await this.table.lookBack(puts, this.deadline)) !== null;
    return this.doBlindly(groups.flat(), () => this.table.put(puts, this.deadline), wasDone);
  }

  private deleteAll(groups: WriteCall[][]) {
    // A row that is not there proves nothing.
    const wasDone = async () => false;
    return this.doBlindly(groups.flat(), () => this.table.remove(keysOf(groups), this.deadline), wasDone);
  }

  /**
   * Entries that were found expired, and that nobody writes at this moment: their rows are deleted, as by the sweep. If
   * some have gone or changed, this does not tell which, and that there may be something is answered of each. To delete
   * what has expired twice does no harm.
   */
  private async lookAtAll(groups: WriteCall[][]): Promise<Rest<WriteCall>> {
    const calls = groups.flat();
    try {
      const areGone = await this.table.reclaim(keysOf(groups), this.deadline);
      for (const { call } of calls) call.resolve(!areGone);
      return DONE;
    } catch (error) {
      return this.afterFailure(calls, error);
    }
  }

  /** `wasDone` finds out whether a statement whose answer was lost has been applied. */
  private async doBlindly(calls: WriteCall[], send: () => Promise<void>, wasDone: () => Promise<boolean>) {
    for (const { call } of calls) call.mayHappen = true;
    try {
      await send();
    } catch (error) {
      if (!isUnknown(error)) for (const { call } of calls) call.mayHappen = false;
      if (!isUnknown(error) || !(await wasDone())) return this.afterFailure(calls, error);
    }
    // The others have happened just before the last, unseen.
    for (const { write, call } of calls) call.resolve(decide(null, write as Write, 0).answer);
    return DONE;
  }

  /** Decides on rows that are read with so many bytes of their values, or without them. */
  private async decideAll(groups: WriteCall[][], valueBytes: number | undefined): Promise<Rest<WriteCall>> {
    let known: Known;
    try {
      known = await this.table.known(keysOf(groups), valueBytes, this.deadline);
    } catch (error) {
      return this.afterFailure(groups.flat(), error);
    }
    const isLarge = ([first]: WriteCall[]) => known.large.has((first as WriteCall).id);
    const { large = [], fitting = [] } = Object.groupBy(groups, (calls) => (isLarge(calls) ? "large" : "fitting"));
    const rest: WriteCall[] = [];
    const plans = fitting.flatMap((calls) => planOf(calls, known, rest) ?? []);
    const kinds = Map.groupBy(plans, ({ change: { guard, content } }) =>
      guard === null ? "create" : content ? "replace" : "touch",
    );
    const parts = [...kinds.values()].flatMap(inParts);
    const rests = await Promise.all(parts.map((each) => this.make(each)));
    // One after the other, because each fills a statement.
    for (const calls of large) rests.push(await this.decideAll([calls], valueBytes));
    return together([...rests, { again: rest, failed: false }]);
  }

  /** Each is a transaction of its own, of which there are only so many at once as there are other statements. */
  private async decideTogether(connected: Connected[]): Promise<Rest<WriteCall>> {
    const rests: Rest<WriteCall>[] = [];
    const left = [...connected];
    const work = async () => {
      for (let next = left.pop(); next; next = left.pop()) {
        const { calls } = next;
        const done = applyTogether(this.table, next, this.deadline);
        rests.push(await done.catch((error) => this.afterFailure(calls, error)));
      }
    };
    await Promise.all(Array.from({ length: TOGETHER_AT_ONCE }, work));
    return together(rests);
  }

  /** Makes changes of one kind. */
  private async make(plans: Plan[]): Promise<Rest<WriteCall>> {
    const calls = plans.flatMap((plan) => plan.calls);
    for (const plan of plans) {
      for (const [i, waiting] of plan.calls.entries()) attempt(waiting, plan.change.revision, plan.answers[i]);
    }
    const changes = plans.map(({ change }) => change);
    try {
      const revisions = await this.table.change(changes, this.deadline);
      return { again: settleAll(calls, revisions), failed: false };
    } catch (error) {
      if (!isUnknown(error)) {
        calls.forEach(undone);
        return this.afterFailure(calls, error);
      }
      if (changes[0]?.guard !== null) {
        for (const plan of plans) for (const waiting of plan.calls) waiting.guardInDoubt = plan.change.guard?.revision;
        return { again: calls, failed: true };
      }
      // Where nothing was there before, nothing being there now proves nothing, and another attempt might be one too many.
      const found = await this.table.lookBack(changes, this.deadline);
      for (const { call } of settleAll(calls, found ?? new Map())) call.reject(error);
      return DONE;
    }
  }

  private afterFailure(calls: WriteCall[], error: unknown) {
    return afterFailure(calls, error, (half) => this.apply(half));
  }
}

/**
 * Decides the writes of a key and answers those that change nothing; undefined if none does. Those for which no room is
 * left become part of the rest: each update of a value makes a new one.
 */
function planOf(calls: WriteCall[], { rows, clockMs }: Known, rest: WriteCall[]): Plan | undefined {
  const [{ key, id }] = calls as [WriteCall];
  const stored = rows.get(id);
  const before = stored ? rowOf(stored) : null;
  let row = before;
  let madeBytes = 0;
  const pending: WriteCall[] = [];
  const answers: Answer[] = [];
  for (const waiting of calls) {
    if (waiting.call.isOver || settle(waiting, stored?.revision)) continue;
    if (madeBytes > BATCH_BYTES && waiting.guardInDoubt === undefined) {
      rest.push(waiting);
      continue;
    }
    const decision = decide(row, waiting.write as Write, clockMs);
    if (waiting.write.kind === "update" && decision.row !== row) madeBytes += valueLength(decision.row?.content);
    row = decision.row;
    pending.push(waiting);
    answers.push(decision.answer);
  }
  // Where an earlier attempt may still come, a revision of one's own keeps it from doing so.
  if (row === before && pending.every(({ guardInDoubt }) => guardInDoubt === undefined)) {
    for (const [i, { call }] of pending.entries()) call.resolve(answers[i] as Answer);
    return undefined;
  }
  const guard = stored ? { ...stored, lives: before !== null && isLive(before, clockMs) } : null;
  const revision = newRevision(row ? row.version : null);
  // An entry that is no more leaves a row without a version, for the sweep.
  const expiresAtMs = row ? row.expiresAtMs : Math.min(stored?.expiresAtMs ?? clockMs, clockMs);
  // What was read stays, and may be a part of what is there.
  const content = row?.content === before?.content ? undefined : row?.content;
  return { calls: pending, answers, change: { key, guard, revision, expiresAtMs, content } };
}

/** How much of their key's value writes look at; undefined where they look at no content. */
function valueBytesOf(calls: WriteCall[]): number | undefined {
  let most: number | undefined;
  for (const { write } of calls) {
    if (write.kind === "update" && write.update.valueBytes !== undefined)
      most = Math.max(most ?? 0, write.update.valueBytes);
  }
  return most;
}

/** Each fits a statement, or is a plan alone: what updates make of values was not known when they were admitted. */
function inParts(plans: Plan[]): Plan[][] {
  const parts: Plan[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const plan of plans) {
    const more = valueLength(plan.change.content);
    if (bytes + more > BATCH_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    bytes += more;
    parts.at(-1)?.push(plan);
  }
  return parts;
}

function keysOf(groups: WriteCall[][]) {
  return groups.map(([first]) => (first as WriteCall).key);
}

function putOf({ key, write }: WriteCall): Put {
  const { version, expiry, content } = write as Write & { kind: "put" };
  return { key, revision: newRevision(version), expiry, content };
}
