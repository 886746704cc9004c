// Writes that wait, what has been tried for them, and how a row shows what became of that.

import type { StoredRow } from "../database/statements.ts";
import type { Answer, Row, Write } from "../store/decide.ts";
import { StoreError } from "../store/error.ts";
import type { Content, EntryKey, Transaction } from "../store/store.ts";
import { type Revision, versionOf } from "../store/version.ts";
import type { Waiting } from "./batch.ts";

/** A change of several entries together. */
export interface Transact {
  kind: "transact";
  transaction: Transaction<unknown>;
  /** Of one shard, each once; the first is the key of the call. */
  keys: EntryKey[];
}

/** Answered by a transaction whose keys are in several shards by now. */
export const SEVERAL_SHARDS = Symbol("several shards");

export interface WriteCall extends Waiting<Answer> {
  write: Write | Transact;
  /** The attempts that it was part of: the revision that the row would have, and the answer to give then. */
  tried?: { revision: Revision; answer: Answer }[];
  /**
   * The revision that guarded an attempt whose outcome is unknown. While the row has it, the attempt has not happened,
   * and is harmless beside another with the same guard: only one of them can. When the row has neither this nor a
   * revision that was tried, nobody can tell.
   */
  guardInDoubt?: Revision;
}

export function rowOf({ revision, expiresAtMs, content }: StoredRow): Row | null {
  const version = versionOf(revision);
  return version === null ? null : { version, expiresAtMs, content };
}

/** Before an attempt is sent. */
export function attempt(waiting: WriteCall, revision: Revision, answer: Answer) {
  waiting.tried ??= [];
  waiting.tried.push({ revision, answer });
  waiting.call.mayHappen = true;
}

/** After an attempt that surely has not happened. */
export function undone({ call, guardInDoubt }: WriteCall) {
  call.mayHappen = guardInDoubt !== undefined;
}

/** Settles the calls whose rows show what became of them, and returns the others, which have not happened. */
export function settleAll(calls: WriteCall[], revisions: Map<string, Revision>): WriteCall[] {
  return calls.filter((waiting) => {
    const revision = revisions.get(waiting.id);
    if (revision !== undefined && settle(waiting, revision)) return false;
    undone(waiting);
    return true;
  });
}

/** Settles a call if the row's revision says what became of it, or says that nobody can tell. */
export function settle({ call, tried, guardInDoubt }: WriteCall, revision: Revision | undefined): boolean {
  const attempt = tried?.find((each) => each.revision === revision);
  if (attempt) call.resolve(attempt.answer);
  else if (guardInDoubt === undefined || guardInDoubt === revision) return false;
  else call.reject(new StoreError("outcome_unknown", "the row has been changed since"));
  return true;
}

export function valueLength(content: Content | undefined): number {
  return content?.value.length ?? 0;
}
