// Which calls travel together, and which have to wait: those of one tick share a request, and no call on a key overtakes
// another.

import type { Call } from "./call.ts";

/** The server's bounds on a batch. */
const BATCH_OPERATIONS = 1_000;
const BATCH_BYTES = 8 * 1024 * 1024;
/** Around the operations. */
const ENVELOPE_BYTES = 20;

const encoder = new TextEncoder();

/**
 * Gives a function that has a call sent at the end of this tick, or once the calls on its key that it must not overtake
 * are settled, and one of `maxRequests` is free. `send` gets those of one request in their order: several only where each
 * has an `item`.
 */
export function createQueue(
  send: (calls: Call[]) => Promise<unknown>,
  maxRequests = Number.POSITIVE_INFINITY,
): (call: Call) => void {
  let waiting: Call[] = [];
  let underWay = 0;
  let isScheduled = false;
  let isWaking = false;
  /** By key, how many reads and how many writes were sent and are not settled. */
  const sent = new Map<string, [reads: number, writes: number]>();

  function schedule() {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(flush);
  }

  /**
   * Has a call that waits see to all that wait. Not whoever is done: on Workers a request belongs to the invocation that
   * sends it, and ends with that.
   */
  function wake() {
    const next = isWaking ? undefined : waiting.find((call) => call.isOpen && call.wake);
    isWaking ||= !!next;
    next?.wake?.();
  }

  function keep(call: Call) {
    waiting.push(call);
    if (call.wake) return;
    new Promise<void>((resolve) => {
      call.wake = resolve;
    }).then(() => {
      call.wake = undefined;
      flush();
    });
  }

  function dispatch(calls: Call[]) {
    for (const call of calls) {
      const key = call.key;
      if (key === undefined) continue;
      const counts = sent.get(key) ?? [0, 0];
      const kind = call.isWrite ? 1 : 0;
      counts[kind]++;
      sent.set(key, counts);
      call.afterwards.push(() => {
        counts[kind]--;
        if (!counts[0] && !counts[1]) sent.delete(key);
        wake();
      });
    }
    if (!calls.length) return;
    underWay++;
    const done = () => {
      underWay--;
      wake();
    };
    send(calls).then(done, done);
  }

  function flush() {
    isScheduled = isWaking = false;
    const calls = waiting.filter(({ isOpen }) => isOpen);
    waiting = [];
    /** Keys that an earlier call waits for. */
    const blocked = new Set<string>();
    let batch: Call[] = [];
    let keys = new Set<string>();
    let bytes = ENVELOPE_BYTES;

    for (const call of calls) {
      const { key, item, isWrite } = call;
      const size = item === undefined ? 0 : encoder.encode(item).length + 1;
      if (batch.length === BATCH_OPERATIONS || bytes + size > BATCH_BYTES) {
        dispatch(batch);
        batch = [];
        keys = new Set();
        bytes = ENVELOPE_BYTES;
      }
      // One that joins a batch needs no request of its own.
      const isFull = (item === undefined || !batch.length) && underWay + Math.sign(batch.length) >= maxRequests;
      const [reads, writes] = (key !== undefined && sent.get(key)) || [0, 0];
      const isBehind = key !== undefined && (blocked.has(key) || (item === undefined && keys.has(key)));
      if (isFull || isBehind || writes || (isWrite && reads)) {
        if (key !== undefined) blocked.add(key);
        keep(call);
        continue;
      }
      if (key !== undefined) keys.add(key);
      if (item === undefined) {
        dispatch([call]);
      } else {
        batch.push(call);
        bytes += size;
      }
    }
    dispatch(batch);
  }

  return (call) => {
    waiting.push(call);
    schedule();
  };
}
