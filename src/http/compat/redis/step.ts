// What commands come to: steps that each are one operation of the store on one key, and what is made of their answers.

import { StoreError } from "../../../store/error.ts";
import type { Caller, Condition, EntryKey, NewEntry, Store, Update } from "../../../store/store.ts";
import { RedisError, type Reply } from "./reply.ts";

/** What a command sees of an entry besides its value. */
export interface Info {
  valueBytes: number;
  contentType: string;
  expiry: { atMs: number; ttlMs: number } | null;
}

export type Step = { key: EntryKey } & (
  | { kind: "get"; reply: (entry: { value: Buffer; contentType: string } | null) => Reply }
  | { kind: "head"; reply: (info: Info | null) => Reply }
  | { kind: "put"; entry: NewEntry; condition?: Condition; reply: (isDone: boolean) => Reply }
  /** `answersValue` where its reply can be the value that was there. */
  | { kind: "update"; update: Update<Reply>; answersValue?: boolean }
);

/** What a command comes to. */
export type Plan =
  | { steps: Step[]; join?: (replies: Reply[]) => Reply }
  /** What looks at the whole namespace. */
  | { walk: (store: Store, caller: Caller) => Promise<Reply> }
  /** What is done to several keys together. */
  | { keys: EntryKey[]; exclusive: (store: Store, caller: Caller) => Promise<Reply> }
  | { reply: Reply };

export function reads({ kind }: Step): boolean {
  return kind === "get" || kind === "head";
}

/** The first reply is the answer, unless the plan joins several. */
export function joined({ join }: { join?: (replies: Reply[]) => Reply }, replies: Reply[]): Reply {
  return join ? join(replies) : (replies[0] as Reply);
}

/** A reply, or the RedisError that is thrown in its place. */
export function answered(reply: () => Reply): Reply {
  try {
    return reply();
  } catch (error) {
    if (error instanceof RedisError) return error;
    throw error;
  }
}

/** Has the store do it. */
export async function perform(store: Store, step: Step, caller: Caller): Promise<Reply> {
  const { key } = step;
  switch (step.kind) {
    case "get":
      return store.get(key, caller).then((entry) => answered(() => step.reply(entry)));
    case "head":
      return store.head(key, caller).then((info) => answered(() => step.reply(info)));
    case "put":
      return step.reply((await store.put(key, step.entry, step.condition, caller)) !== null);
    case "update":
      return store.update(key, step.update, caller);
  }
}

/** What steps of several keys have come to, or the one error that is true of all of them. */
export async function together(steps: Promise<Reply>[], write: boolean): Promise<Reply[]> {
  const results = await Promise.allSettled(steps);
  const failed = results.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
  if (failed.length === 0) return results.map((result) => (result as PromiseFulfilledResult<Reply>).value);
  if (write && failed.length < results.length) throw new StoreError("outcome_unknown", "some of its keys were changed");
  const unknown = failed.find(({ reason }) => reason instanceof StoreError && reason.code === "outcome_unknown");
  throw (unknown ?? (failed[0] as PromiseRejectedResult)).reason;
}
