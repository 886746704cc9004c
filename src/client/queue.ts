// Which calls travel together, and which have to wait: those of one tick share a request, and no call on a key overtakes
// another.

import type { Call } from "./call.ts";
import { Pending } from "./pending.ts";

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
  let waiting = new Set<Call>();
  let underWay = 0;
  let isScheduled = false;
  /** Whether what waits may be sent now. */
  let isChanged = false;
  /** By key, how many reads and how many writes were sent and are not settled. */
  const sent = new Map<string, [reads: number, writes: number]>();

  /**
   * Has those that wait look again, each by itself: on Workers a request belongs to the invocation that sends it and ends
   * with that, so it must be one whose caller waits. The first that looks sends for all.
   */
  function wake() {
    if (isChanged) return;
    isChanged = true;
    for (const call of waiting) call.wake?.();
  }

  async function lookLater(call: Call) {
    // One that was sent meanwhile may be answered before what it would send.
    while (waiting.has(call)) {
      if (isChanged) flush();
      else
        await new Pending<void>((resolve) => {
          call.wake = resolve;
        });
    }
  }

  function dispatch(calls: Call[]) {
    for (const call of calls) {
      const { key, isWrite } = call;
      if (!key) continue;
      const counts = sent.get(key) ?? [0, 0];
      const kind = isWrite ? 1 : 0;
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
    isScheduled = isChanged = false;
    const calls = waiting;
    waiting = new Set();
    /** Keys that an earlier call waits for. */
    const blocked = new Set<string>();
    let batch: Call[] = [];
    let keys = new Set<string>();
    let bytes = ENVELOPE_BYTES;

    for (const call of calls) {
      if (!call.isOpen) continue;
      const { key, item, isWrite } = call;
      const size = item ? encoder.encode(item).length + 1 : 0;
      if (batch.length === BATCH_OPERATIONS || bytes + size > BATCH_BYTES) {
        dispatch(batch);
        batch = [];
        keys = new Set();
        bytes = ENVELOPE_BYTES;
      }
      // One that joins a batch needs no request of its own.
      const isFull = !(item && batch.length) && underWay + (batch.length && 1) >= maxRequests;
      // Of calls without a key the order does not matter.
      const [reads, writes] = (key && sent.get(key)) || [0, 0];
      const isBehind = key && (blocked.has(key) || (!item && keys.has(key)));
      if (isFull || isBehind || writes || (isWrite && reads)) {
        if (key) blocked.add(key);
        waiting.add(call);
        if (!call.wake) lookLater(call);
        continue;
      }
      if (key) keys.add(key);
      if (item) {
        batch.push(call);
        bytes += size;
      } else dispatch([call]);
    }
    dispatch(batch);
  }

  return (call) => {
    waiting.add(call);
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(flush);
  };
}
