// The workloads `increments` and `limiter`: every call adds one to a counter, the latter by the Lua script of a rate
// limiter. What an answer tells lies between the number of increments that were acknowledged before and that with all
// whose outcome is open; once all calls have ended, a last look is taken at each counter. No increment may be lost, and
// none may happen twice.

import type { Calls, Contents, Verdict } from "./calls.ts";
import type { Operation } from "./checker.ts";
import type { ResponseReader } from "./http-response.ts";
import type { Keys } from "./keys.ts";
import { Template, type Words } from "./requests.ts";

/** How a counter is increased: the words of the request, and what its answer has before and after the number. */
interface Way {
  words: (namespace: string) => Partial<Words>;
  before: string;
  after: string;
}

/** As limiters of fixed windows have it: who makes the counter gives it the window's length. */
const LIMITER = `
local count = redis.call("INCRBY", KEYS[1], ARGV[2])
if count == tonumber(ARGV[2]) then redis.call("PEXPIRE", KEYS[1], ARGV[1]) end
return count`;
/** Longer than any measurement. */
const WINDOW_MS = 3_600_000;

const WAYS = {
  increments: { words: () => ({ suffix: "/increment" }), before: '{"value":"', after: '"' },
  limiter: {
    words: (namespace) => ({
      path: `/redis/${namespace}/eval/${encodeURIComponent(LIMITER)}/1/`,
      suffix: `/${WINDOW_MS}/1`,
    }),
    before: '{"result":',
    after: "}",
  },
} satisfies Record<string, Way>;

/** An Operation's form, where it sets a counter to 0. */
const FILL = -1;
const ADD = 0;

export class Increments implements Calls {
  readonly keys: number;
  private readonly way: Way;
  private readonly zero: Template;
  private readonly add: Template;
  private readonly read: Template;
  /** By counter: its least value, by what was acknowledged; NaN, which no value violates, where that can't be told. */
  private readonly least: Float64Array;
  /** By counter: writes whose outcome is open. */
  private readonly open: Uint32Array;

  constructor(
    private readonly names: Keys,
    { namespace }: Contents,
    name: keyof typeof WAYS,
  ) {
    this.way = WAYS[name];
    this.keys = names.count;
    this.zero = new Template({ method: "PUT", namespace, body: Buffer.from("0") });
    this.add = new Template({ method: "POST", namespace, ...this.way.words(namespace), body: Buffer.of() });
    this.read = new Template({ method: "GET", namespace });
    this.least = new Float64Array(this.keys);
    this.open = new Uint32Array(this.keys);
  }

  fill(op: Operation, key: number) {
    op.kind = "put";
    op.form = FILL;
    op.key = key;
  }

  next(op: Operation): boolean {
    op.kind = "put";
    op.form = ADD;
    op.key = this.names.choose();
    return true;
  }

  last(op: Operation, key: number) {
    op.kind = "read";
    op.key = key;
  }

  begin(op: Operation): Buffer {
    const { kind, form, key } = op;
    op.floor = this.least[key] as number;
    if (kind === "put") this.open[key] = (this.open[key] as number) + 1;
    const template = kind === "read" ? this.read : form === FILL ? this.zero : this.add;
    template.setKey(key);
    return template.bytes;
  }

  judge({ kind, form, key, floor }: Operation, { status, bytes, bodyStart, bodyEnd }: ResponseReader): Verdict {
    const most = (this.least[key] as number) + (this.open[key] as number);
    if (kind === "read") {
      if (status !== 200) return status === 404 ? "lost" : "error";
      const value = Number(bytes.toString("latin1", bodyStart, bodyEnd));
      // All others have ended: what is missing was not only late to be shown.
      return value > most ? "wrong" : value < floor ? "lost" : "true";
    }
    if (status !== (form === FILL ? 204 : 200)) return "error";
    this.settle(key);
    if (form === FILL) {
      // A zero that may be written again, later, leaves nothing to be told of its counter.
      if ((this.open[key] as number) > 0) this.least[key] = Number.NaN;
      return "true";
    }
    this.least[key] = (this.least[key] as number) + 1;
    const { before, after } = this.way;
    const start = bodyStart + before.length;
    const value = Number(bytes.toString("latin1", start, bytes.indexOf(after, start)));
    return value > most ? "wrong" : value <= floor ? "stale" : "true";
  }

  refused({ kind, key }: Operation) {
    if (kind === "put") this.settle(key);
  }

  nameOf(key: number): string {
    return `k${key}`;
  }

  private settle(key: number) {
    this.open[key] = (this.open[key] as number) - 1;
  }
}
