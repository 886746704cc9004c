// Calls that are done together, and what becomes of them where the database does not take them.

import { StoreError } from "../store/error.ts";
import type { EntryKey } from "../store/store.ts";
import type { Call } from "./call.ts";

export interface Waiting<R> {
  key: EntryKey;
  /** Names the key. */
  id: string;
  /** Its promise is for whoever called. */
  call: Omit<Call<R>, "promise">;
}

/** Calls by the names of their keys; those of one key in the order of their arrival. */
export type Batch<W> = Map<string, W[]>;

/** What a batch leaves undone, in order. */
export interface Rest<W> {
  again: W[];
  /** Whether the database did not take it, so that it should be given some time. */
  failed: boolean;
}

export const DONE: Rest<never> = { again: [], failed: false };

/**
 * After an error that is true for all of the calls: they are to be done again if nothing was changed and that passes.
 * Where the database refused them, for one entry's sake perhaps, the others can do without it, so `retry` is called with
 * each half. Else the error is their answer.
 */
export async function afterFailure<W extends Waiting<never>>(
  calls: W[],
  error: unknown,
  retry: (half: Batch<W>) => Promise<Rest<W>>,
): Promise<Rest<W>> {
  const { code, isFinal } = error instanceof StoreError ? error : {};
  if (code === "unavailable" && !isFinal) return { again: calls, failed: true };
  if (code === "internal" && calls.length > 1) {
    const half = Math.ceil(calls.length / 2);
    const halves = [calls.slice(0, half), calls.slice(half)];
    // One after the other, since a key may have calls in both.
    const rests: Rest<W>[] = [];
    for (const each of halves) {
      const left = each.filter(({ call }) => !call.isOver);
      rests.push(await retry(Map.groupBy(left, ({ id }) => id)));
    }
    return together(rests);
  }
  for (const { call } of calls) call.reject(error);
  return DONE;
}

export function together<W>(rests: Rest<W>[]): Rest<W> {
  return { again: rests.flatMap(({ again }) => again), failed: rests.some(({ failed }) => failed) };
}

export function isUnknown(error: unknown): boolean {
  return error instanceof StoreError && error.code === "outcome_unknown";
}
