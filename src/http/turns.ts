// The order within one request of many operations: those on one key happen in their order, and others at once.

import { type EntryKey, keyName } from "../store/store.ts";

/** What has been begun on one key: reads, writes, or one thing that is about other keys too. */
interface Turn {
  kind: "reads" | "writes" | "alone";
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
    const kind = reads ? "reads" : "writes";
    if (turn?.kind !== kind) {
      turn = { kind, after: turn && Promise.allSettled(turn.begun), begun: [] };
      this.turns.set(name, turn);
    }
    const outcome = turn.after ? turn.after.then(work) : work();
    turn.begun.push(outcome);
    return outcome;
  }

  /** What is about several keys: after all that was begun on any of them, and before all that comes. */
  inTurns<T>(keys: EntryKey[], work: () => Promise<T>): Promise<T> {
    const begun = keys.flatMap((key) => this.turns.get(keyName(key))?.begun ?? []);
    const outcome = begun.length > 0 ? Promise.allSettled(begun).then(work) : work();
    for (const key of keys) this.turns.set(keyName(key), { kind: "alone", after: undefined, begun: [outcome] });
    return outcome;
  }
}
