// The order within one request of many operations: those on one key happen in their order, and others at once.

import { type EntryKey, keyName } from "../store/store.ts";

/** What has been begun on one key, all of it reads or all of it writes. */
interface Turn {
  reads: boolean;
  /** What has to happen before it. */
  after: Promise<unknown> | undefined;
  begun: Promise<unknown>[];
}

export class Turns {
  private readonly turns = new Map<string, Turn>();

  /** Reads of a key see what has been written before, and nothing of what is written later. */
  inTurn<T>(key: EntryKey, reads: boolean, work: () => Promise<T>): Promise<T> {
    const name = keyName(key);
    let turn = this.turns.get(name);
    if (!turn || turn.reads !== reads) {
      turn = { reads, after: turn && Promise.allSettled(turn.begun), begun: [] };
      this.turns.set(name, turn);
    }
    const outcome = turn.after ? turn.after.then(work) : work();
    turn.begun.push(outcome);
    return outcome;
  }
}
