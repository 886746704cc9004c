// A batch of reads: one statement, in which several reads of a key see one row.

import type { Found } from "../database/table.ts";
import type { Answer } from "../store/decide.ts";
import type { EntryKey } from "../store/store.ts";
import type { WriteCall } from "./attempts.ts";
import { afterFailure, type Batch, DONE, isUnknown, type Rest, type Waiting } from "./batch.ts";

export type ReadCall<T> = Waiting<T | null>;

export interface ReadOptions<T> {
  find: (keys: EntryKey[], deadline: number) => Promise<Found<T>>;
  /** Takes over what the statement could not tell. */
  onExpired: (read: ReadCall<T>) => void;
  onLarge: (read: ReadCall<T>) => void;
}

/** Settles the reads, hands them over, or returns them. */
export async function applyReads<T>(
  options: ReadOptions<T>,
  batch: Batch<ReadCall<T>>,
  deadline: number,
): Promise<Rest<ReadCall<T>>> {
  const keys = Array.from(batch.values(), ([first]) => (first as ReadCall<T>).key);
  let found: Found<T>;
  try {
    found = await options.find(keys, deadline);
  } catch (error) {
    const retry = (half: typeof batch) => applyReads(options, half, deadline);
    return afterFailure([...batch.values()].flat(), error, retry);
  }
  for (const [id, reads] of batch) {
    const entry = found.get(id) ?? null;
    for (const read of reads) {
      if (entry === "expired") options.onExpired(read);
      else if (entry === "large") options.onLarge(read);
      else read.call.resolve(entry);
    }
  }
  return DONE;
}

/**
 * A write after which a read that has found its entry expired knows what to answer: that there is none, once this is on
 * a second disk too, or what is there by now, for which `again` is called.
 */
export function lookFor<T>({ key, id, call }: ReadCall<T>, again: () => void): WriteCall {
  const look = call.part<Answer>();
  look.promise.then(
    (isLive) => (isLive ? again() : call.resolve(null)),
    // Whatever became of it, the next read shows.
    (error) => (isUnknown(error) ? again() : call.reject(error)),
  );
  return { key, id, write: { kind: "look" }, call: look };
}
