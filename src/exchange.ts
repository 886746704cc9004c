// How processes that serve together learn what each of them has to tell: a worker asks its parent, who asks all workers.

import type { Subprocess } from "bun";

/** A worker that takes longer is busy or hangs; what it has told last then stands for it. */
const TELL_MS = 1_000;
/** Beyond that, for the parent's answer. */
const ASK_MS = 3_000;

type ToParent<T> = { ask: number } | { round: number; told: T };
type ToWorker<T> = { tell: number } | { asked: number; all: T[] };

/** Keeps what was told, of those too that have ended. */
export interface Keeper<T> {
  told(worker: number, value: T): void;
  ended(worker: number): void;
  all(): T[];
}

/** The parent's side. */
export class Exchange<T> {
  private readonly workers = new Map<number, Subprocess>();
  private rounds = 0;
  /** Whoever has not told yet, by round. */
  private readonly open = new Map<number, { awaited: Set<number>; end: () => void }>();

  constructor(private readonly keeper: Keeper<T>) {}

  join(worker: Subprocess) {
    this.workers.set(worker.pid, worker);
  }

  leave({ pid }: Subprocess) {
    this.workers.delete(pid);
    this.keeper.ended(pid);
    for (const round of this.open.keys()) this.isHeard(round, pid);
  }

  /** Takes a message of a worker; false if it is none of these. */
  hear(worker: Subprocess, message: object): boolean {
    if ("ask" in message) this.answer(worker, (message as { ask: number }).ask);
    else if ("told" in message) {
      const { round, told } = message as { round: number; told: T };
      this.keeper.told(worker.pid, told);
      this.isHeard(round, worker.pid);
    } else return false;
    return true;
  }

  private async answer(worker: Subprocess, asked: number) {
    this.rounds += 1;
    const round = this.rounds;
    await new Promise<void>((end) => {
      this.open.set(round, { awaited: new Set(this.workers.keys()), end });
      for (const each of this.workers.values()) send(each, { tell: round });
      setTimeout(end, TELL_MS).unref();
    });
    this.open.delete(round);
    send(worker, { asked, all: this.keeper.all() });
  }

  private isHeard(round: number, worker: number) {
    const { awaited, end } = this.open.get(round) ?? {};
    awaited?.delete(worker);
    if (awaited?.size === 0) end?.();
  }
}

/** One that has just ended takes no message, and is not missed. */
function send<T>(worker: Subprocess, message: ToWorker<T>) {
  try {
    worker.send(message);
  } catch {}
}

/** A worker's side: tells `own` whenever it is asked, and returns what asks all. Throws where the parent does not answer. */
export function exchange<T>(own: () => Promise<T>): () => Promise<T[]> {
  const pending = new Map<number, (all: T[]) => void>();
  let asks = 0;
  const say = (message: ToParent<T>) => process.send?.(message);
  process.on("message", async (message: ToWorker<T>) => {
    if ("tell" in message) say({ round: message.tell, told: await own() });
    else if ("asked" in message) pending.get(message.asked)?.(message.all);
  });
  return () => {
    asks += 1;
    const ask = asks;
    return new Promise<T[]>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the parent process does not answer")), ASK_MS);
      pending.set(ask, (all) => {
        clearTimeout(timer);
        resolve(all);
      });
      say({ ask });
    }).finally(() => pending.delete(ask));
  };
}
