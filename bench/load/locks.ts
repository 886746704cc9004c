// The workload `locks`: a lock is taken by a create-only PUT with a TTL, sometimes looked at by its holder, and released
// by a DELETE with If-Match, or left to expire. No lock may have two holders at once, none may be taken from its holder
// before its time, and one that is free must be given.
//
// A call happens between its beginning and its end, on the monotonic clock. So a holder surely holds a lock from the end
// of the call that took it until its release begins, or until the lock can have expired: its TTL after the beginning of
// the call that took it. It may hold it until its release has ended, or its TTL after the end of that call.

import { uniform } from "../random.ts";
import type { Calls, Contents, Verdict } from "./calls.ts";
import { type Operation, TOLERANCE_MS } from "./checker.ts";
import type { ResponseReader } from "./http-response.ts";
import type { Keys } from "./keys.ts";
import { MarkedPut, Template } from "./requests.ts";
import { Tags } from "./tags.ts";
import { writeOf } from "./value.ts";

export const LOCK_TTLS_MS = [200, 500, 1000];
/** Of the locks that somebody holds, how many are looked at before they are released, and how many never are. */
const LOOKED_AT = 0.5;
const ABANDONED = 0.05;
const LETTER = "l";

/** A connection, with what it holds. */
interface Holder {
  holds: boolean;
  looked: boolean;
  write: number;
  tag: Tags;
  /** When the lock can have expired, and when it must have. */
  earliestMs: number;
  latestMs: number;
  /** Of the call that takes a lock: its tick, and what it would be to refuse it if nobody else comes; undefined: right. */
  begun: number;
  refusal: "wrong" | "expired" | undefined;
}

export class Locks implements Calls {
  /** They are there only while somebody holds them; those of a run before expire. */
  readonly keys = 0;
  private readonly take: Map<number, MarkedPut>;
  private readonly read: Template;
  private readonly release: Template;
  private readonly expected: { key: number; run: string; valueBytes: number };
  private readonly holders = new Map<Operation, Holder>();
  private tick = 0;
  private writes = 0;
  /** By lock: who was given it last; and who surely held it last, until when. */
  private readonly latest: (Holder | undefined)[] = [];
  private readonly holder: (Holder | undefined)[] = [];
  private readonly surelyUntilMs: Float64Array;
  /** By lock: until when somebody may hold it; 0 after a release. */
  private readonly maybeUntilMs: Float64Array;
  /** By lock: calls that take it and whose outcome is open, some of them for ever; and the tick of the last such call. */
  private readonly taking: Uint32Array;
  private readonly taken: Float64Array;

  constructor(
    private readonly names: Keys,
    contents: Contents,
    nowMs = performance.now(),
  ) {
    const { namespace } = contents;
    const words = (ms: number) => ({ letter: LETTER, suffix: `?ttl_ms=${ms}`, headers: "If-None-Match: *\r\n" });
    this.take = new Map(LOCK_TTLS_MS.map((ms) => [ms, new MarkedPut(contents, words(ms))]));
    this.read = new Template({ method: "GET", namespace, letter: LETTER });
    this.release = new Template({ method: "DELETE", namespace, letter: LETTER, ifMatch: true });
    this.expected = { key: 0, ...contents };
    this.surelyUntilMs = new Float64Array(names.count);
    this.maybeUntilMs = new Float64Array(names.count).fill(nowMs + Math.max(...LOCK_TTLS_MS));
    this.taking = new Uint32Array(names.count);
    this.taken = new Float64Array(names.count);
  }

  /** There is nothing to fill. */
  fill() {}

  next(op: Operation): boolean {
    const own = this.of(op);
    if (own.holds && !own.looked && Math.random() < LOOKED_AT) {
      op.kind = "read";
      own.looked = true;
    } else if (own.holds && Math.random() >= ABANDONED) op.kind = "delete";
    else {
      own.holds = false;
      op.kind = "put";
      op.key = this.names.choose();
      op.ttlMs = LOCK_TTLS_MS[uniform(LOCK_TTLS_MS.length)] as number;
    }
    return true;
  }

  begin(op: Operation, nowMs: number): Buffer {
    const { key } = op;
    const own = this.of(op);
    const name = key;
    if (op.kind === "put") {
      const maybeUntilMs = this.maybeUntilMs[key] as number;
      const free = this.taking[key] === 0 && maybeUntilMs + TOLERANCE_MS < nowMs;
      own.refusal = free ? (maybeUntilMs === 0 ? "wrong" : "expired") : undefined;
      own.begun = ++this.tick;
      this.taken[key] = own.begun;
      this.taking[key] = (this.taking[key] as number) + 1;
      op.begunMs = nowMs;
      op.write = ++this.writes;
      const template = this.take.get(op.ttlMs) as MarkedPut;
      template.set(name, op.write);
      return template.bytes;
    }
    op.begunMs = nowMs;
    const template = op.kind === "read" ? this.read : this.release;
    if (op.kind === "delete") {
      own.holds = false;
      if (this.holder[key] === own) this.surelyUntilMs[key] = 0;
      own.tag.put(0, template);
    }
    template.setKey(name);
    return template.bytes;
  }

  judge(op: Operation, reader: ResponseReader, nowMs: number): Verdict {
    const { status } = reader;
    if (op.kind === "put") return this.tookOrNot(op, reader, nowMs);
    const own = this.of(op);
    const surely = nowMs < own.earliestMs - TOLERANCE_MS;
    const surelyNot = op.begunMs > own.latestMs + TOLERANCE_MS;
    if (op.kind === "read" && status === 200) {
      this.expected.key = op.key;
      const write = writeOf(reader.bytes, reader.bodyStart, reader.bodyEnd, this.expected);
      if (write === own.write) return surelyNot ? "expired" : "true";
      return write < 1 || write > this.writes ? "wrong" : surely ? "shared" : "true";
    }
    if (status === (op.kind === "read" ? 404 : 412)) return surely ? "lost" : "true";
    if (op.kind === "read" || status !== 204) return "error";
    // Otherwise somebody else may have it already.
    if (this.latest[op.key] === own) this.maybeUntilMs[op.key] = 0;
    return surelyNot ? "expired" : "true";
  }

  refused(op: Operation) {
    if (op.kind === "put") this.taking[op.key] = (this.taking[op.key] as number) - 1;
    else this.of(op).holds = true;
  }

  nameOf(key: number): string {
    return `${LETTER}${key}`;
  }

  private tookOrNot(op: Operation, reader: ResponseReader, nowMs: number): Verdict {
    const { key, ttlMs, begunMs, write } = op;
    const { status } = reader;
    const own = this.of(op);
    if (status === 412) {
      this.taking[key] = (this.taking[key] as number) - 1;
      return (this.taken[key] === own.begun && own.refusal) || "true";
    }
    if (status !== 204 || !own.tag.keep(0, reader)) return "error";
    this.taking[key] = (this.taking[key] as number) - 1;
    Object.assign(own, { holds: true, looked: false, write, earliestMs: begunMs + ttlMs, latestMs: nowMs + ttlMs });
    this.latest[key] = own;
    this.maybeUntilMs[key] = Math.max(this.maybeUntilMs[key] as number, own.latestMs);
    // The answer took so long that the lock may have been somebody else's since.
    if (own.earliestMs - TOLERANCE_MS <= nowMs) return "true";
    const shared = nowMs < (this.surelyUntilMs[key] as number) - TOLERANCE_MS;
    this.holder[key] = own;
    this.surelyUntilMs[key] = own.earliestMs;
    return shared ? "shared" : "true";
  }

  private of(op: Operation): Holder {
    let own = this.holders.get(op);
    if (!own) {
      const none = { write: 0, earliestMs: 0, latestMs: 0, begun: 0, refusal: undefined };
      own = { holds: false, looked: false, tag: new Tags(1), ...none };
      this.holders.set(op, own);
    }
    return own;
  }
}
