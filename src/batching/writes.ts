// A batch of writes of all kinds, in one shard.
//
// Of a key whose writes do not depend on what is there, the last is sent. For the others the rows are read without
// locks, the writes are decided on them one after the other, and what comes out is written only where the row still is
// what was read; where it is not, another server was first, and the writes are decided again. So a
// thousand callers of one key cost a row, and no lock is held while this process thinks.
//
// Every change leaves a revision of its own in the row. Whoever finds one that it has tried to leave there knows that
// this attempt has happened, be its answer lost or wrong.

import type { Change, Put, StoredRow } from "../database/statements.ts";
import type { Known, Table } from "../database/table.ts";
import { type Answer, decide, isBlind, isLive, type Row, type Write } from "../store/decide.ts";
import { StoreError } from "../store/error.ts";
import type { Content } from "../store/store.ts";
import { newRevision, type Revision, versionOf } from "../store/version.ts";
import { afterFailure, type Batch, DONE, isUnknown, type Rest, together, type Waiting } from "./batch.ts";

export interface WriteCall extends Waiting<Answer> {
  write: Write<Content>;
  /** What it has been part of: the revision that the row would have, and the answer to give then. */
  tried?: { revision: Revision; answer: Answer }[];
  /**
   * The revision that guarded an attempt whose outcome is unknown. While the row has it, the attempt has not happened,
   * and is harmless beside another with the same guard: only one of them can. When the row has neither this nor a
   * revision that was tried, nobody can tell.
   */
  unsure?: Revision;
}

/** The writes of one key with what they come to. */
interface Plan {
  calls: WriteCall[];
  answers: Answer[];
  change: Change;
}

/** Settles the writes, or returns them. */
export async function applyWrites(table: Table, batch: Batch<WriteCall>, deadline: number): Promise<Rest<WriteCall>> {
  const groups = [...batch.values()];
  const blind = Map.groupBy(groups, (calls) => {
    if (!calls.every(({ write, tried }) => isBlind(write) && !tried)) return undefined;
    return calls.at(-1)?.write.kind;
  });
  const retry = (half: Batch<WriteCall>) => applyWrites(table, half, deadline);
  const [puts, deletes, others] = [blind.get("put"), blind.get("delete"), blind.get(undefined)];
  const rests = await Promise.all([
    puts ? putAll(table, puts, deadline, retry) : DONE,
    deletes ? deleteAll(table, deletes, deadline, retry) : DONE,
    others ? decideAll(table, others, deadline, retry) : DONE,
  ]);
  return together(rests);
}

type Retry = (half: Batch<WriteCall>) => Promise<Rest<WriteCall>>;

async function putAll(table: Table, groups: WriteCall[][], deadline: number, retry: Retry) {
  const puts = groups.map((calls) => putOf(calls.at(-1) as WriteCall));
  const send = () => table.put(puts, deadline);
  return doBlindly(groups.flat(), send, async () => (await table.lookBack(puts, deadline)) !== null, retry);
}

async function deleteAll(table: Table, groups: WriteCall[][], deadline: number, retry: Retry) {
  const keys = groups.map(([first]) => (first as WriteCall).key);
  // A row that is not there proves nothing.
  return doBlindly(
    groups.flat(),
    () => table.remove(keys, deadline),
    async () => false,
    retry,
  );
}

/** `wasDone` finds out whether a statement whose answer was lost has been applied. */
async function doBlindly(
  calls: WriteCall[],
  send: () => Promise<void>,
  wasDone: () => Promise<boolean>,
  retry: Retry,
): Promise<Rest<WriteCall>> {
  for (const { call } of calls) call.sent = true;
  try {
    await send();
  } catch (error) {
    if (!isUnknown(error)) for (const { call } of calls) call.sent = false;
    if (!isUnknown(error) || !(await wasDone())) return afterFailure(calls, error, retry);
  }
  // The others have happened just before the last, unseen.
  for (const { write, call } of calls) call.resolve(decide(null, write, 0).answer);
  return DONE;
}

async function decideAll(table: Table, groups: WriteCall[][], deadline: number, retry: Retry) {
  let known: Known;
  try {
    const keys = groups.map(([first]) => (first as WriteCall).key);
    known = await table.known(keys, deadline);
  } catch (error) {
    return afterFailure(groups.flat(), error, retry);
  }
  const plans = groups.flatMap((calls) => planOf(calls, known) ?? []);
  const kinds = Map.groupBy(plans, ({ change: { guard, content } }) =>
    guard === null ? "create" : content ? "replace" : "touch",
  );
  return together(await Promise.all([...kinds.values()].map((each) => make(table, each, deadline, retry))));
}

/** Decides the writes of a key and answers those that change nothing; undefined if none does. */
function planOf(calls: WriteCall[], { rows, clockMs }: Known): Plan | undefined {
  const [{ key, id }] = calls as [WriteCall];
  const stored = rows.get(id);
  const pending = calls.filter((waiting) => !isSettledBy(waiting, stored?.revision));
  const before = stored ? rowOf(stored) : null;
  let row = before;
  const answers = pending.map(({ write }) => {
    const decision = decide(row, write, clockMs);
    row = decision.row;
    return decision.answer;
  });
  // Where an earlier attempt may still come, a revision of one's own keeps it from doing so.
  if (row === before && !pending.some(({ unsure }) => unsure !== undefined)) {
    for (const [i, { call }] of pending.entries()) call.resolve(answers[i] as Answer);
    return undefined;
  }
  const guard = stored ? { ...stored, lives: before !== null && isLive(before, clockMs) } : null;
  const revision = newRevision(row ? row.version : null);
  // An entry that is no more leaves a row without a version, for the sweep.
  const expiresAtMs = row ? row.expiresAtMs : Math.min(stored?.expiresAtMs ?? clockMs, clockMs);
  return { calls: pending, answers, change: { key, guard, revision, expiresAtMs, content: row?.content } };
}

/** Without its content, which stays as it is unless a PUT brings another. */
function rowOf({ revision, expiresAtMs }: StoredRow): Row<Content | undefined> | null {
  const version = versionOf(revision);
  return version === null ? null : { version, expiresAtMs, content: undefined };
}

/** Makes changes of one kind, and settles or returns their calls. */
async function make(table: Table, plans: Plan[], deadline: number, retry: Retry): Promise<Rest<WriteCall>> {
  const calls = plans.flatMap((plan) => plan.calls);
  for (const { calls, answers, change } of plans) {
    for (const [i, waiting] of calls.entries()) {
      waiting.tried ??= [];
      waiting.tried.push({ revision: change.revision, answer: answers[i] as Answer });
      waiting.call.sent = true;
    }
  }
  const changes = plans.map(({ change }) => change);
  try {
    const revisions = await table.change(changes, deadline);
    return { again: unsettled(plans, (id) => revisions.get(id)), failed: false };
  } catch (error) {
    if (!isUnknown(error)) {
      for (const { call, unsure } of calls) call.sent = unsure !== undefined;
      return afterFailure(calls, error, retry);
    }
    if (changes[0]?.guard !== null) {
      for (const { calls, change } of plans) for (const waiting of calls) waiting.unsure = change.guard?.revision;
      return { again: calls, failed: true };
    }
    // Where nothing was there before, nothing being there now proves nothing, and a second attempt might be one too many.
    const found = await table.lookBack(changes, deadline);
    for (const { call } of unsettled(plans, (id) => found?.get(id))) call.reject(error);
    return DONE;
  }
}

/** Settles the calls of all plans whose rows show what became of them, and returns the others. */
function unsettled(plans: Plan[], revisionOf: (id: string) => Revision | undefined): WriteCall[] {
  const calls = plans.flatMap((plan) => plan.calls);
  return calls.filter((waiting) => {
    const revision = revisionOf(waiting.id);
    if (revision !== undefined && isSettledBy(waiting, revision)) return false;
    waiting.call.sent = waiting.unsure !== undefined;
    return true;
  });
}

/** Settles a call if the row's revision says what became of it, or says that nobody can tell. */
function isSettledBy({ call, tried, unsure }: WriteCall, revision: Revision | undefined): boolean {
  const attempt = tried?.find((each) => each.revision === revision);
  if (attempt) call.resolve(attempt.answer);
  else if (unsure === undefined || unsure === revision) return false;
  else call.reject(new StoreError("outcome_unknown", "the row has been changed since"));
  return true;
}

function putOf({ key, write }: WriteCall): Put {
  const { version, expiry, content } = write as Write<Content> & { kind: "put" };
  return { key, revision: newRevision(version), expiry, content };
}
