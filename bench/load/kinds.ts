// Workloads of one kind of call each, or of all kinds at random: plain, conditional, and of expiries. Every answer's status
// is checked, and the body of every GET.

import { uniform } from "../random.ts";
import type { Calls, Contents, Verdict } from "./calls.ts";
import type { Operation } from "./checker.ts";
import type { ResponseReader } from "./http-response.ts";
import type { Keys } from "./keys.ts";
import { Template } from "./requests.ts";
import { Tags } from "./tags.ts";
import { putDigits } from "./value.ts";

interface Kind {
  method: "GET" | "HEAD" | "PUT" | "DELETE";
  /** As the checker names it. */
  kind: Operation["kind"];
  /** Behind the key. */
  suffix?: string;
  /** Whole lines. */
  headers?: string;
  /** Whether it has an If-Match with the tag that its key had last. */
  ifMatch?: true;
  /** A value, or a TTL that is longer than any before. */
  body?: "value" | "ttl";
  /**
   * What becomes of its keys: `standing` ones are there, whatever is done to them; `spent` ones are there for one call
   * each; `new` ones are not there.
   */
  keys: "standing" | "spent" | "new";
  /** Whether they have a TTL before the call. */
  expiring?: true;
  /** The one right answer on such keys, and what else is right where calls of all kinds come to a key. */
  right: number;
  mixed: number[];
}

const GET: Kind = { method: "GET", kind: "read", keys: "standing", right: 200, mixed: [404] };
const PUT: Kind = { method: "PUT", kind: "put", body: "value", keys: "standing", right: 204, mixed: [] };
const DELETE: Kind = { method: "DELETE", kind: "delete", keys: "spent", right: 204, mixed: [] };
const CREATE: Kind = { ...PUT, headers: "If-None-Match: *\r\n", right: 412, mixed: [204, 412] };
const TTL: Kind = { ...PUT, kind: "expire", suffix: "/ttl", body: "ttl", right: 200, mixed: [404] };

const KINDS = {
  get: GET,
  head: { ...GET, method: "HEAD" },
  "get-ttl": { ...GET, suffix: "/ttl" },
  put: PUT,
  delete: DELETE,
  "create-new": { ...CREATE, keys: "new", right: 204 },
  "create-taken": CREATE,
  "if-match": { ...PUT, ifMatch: true, mixed: [412] },
  "keep-ttl": { ...PUT, suffix: "?keep_ttl=true" },
  "put-ttl": TTL,
  "put-ttl-gt": { ...TTL, suffix: "/ttl?if=gt", expiring: true, mixed: [404, 412] },
  "delete-ttl": { ...DELETE, suffix: "/ttl", expiring: true, mixed: [404] },
  "delete-if-match": { ...DELETE, ifMatch: true, mixed: [412] },
} satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS | "all-kinds";
export const KIND_NAMES = Object.keys(KINDS) as (keyof typeof KINDS)[];

/** Whether a key serves for one call only, so that there have to be as many as calls. */
export function isSpending(workload: string): boolean {
  return workload in KINDS && KINDS[workload as keyof typeof KINDS].keys === "spent";
}

/** From three years on, so that nothing expires, and with as many digits for every later one. */
const TTL_DIGITS = 12;
const TTL_BEFORE = '{"ttl_ms":';
let ttlMs = 10 ** (TTL_DIGITS - 1);

/** An Operation's form, where it writes a key before the measurement. */
const FILL = -1;
/** Tries to find a key without a call under way. */
const TRIES = 100;

export class KindCalls implements Calls {
  readonly keys: number;
  private readonly kinds: Kind[];
  private readonly value: Buffer;
  private readonly filling: Template;
  private readonly templates: Template[];
  private readonly tags: Tags;
  private readonly underWay: Uint8Array;
  /** Keys that are new or spent, so far. */
  private used = 0;

  constructor(name: KindName, { count }: Keys, { namespace, valueBytes }: Contents) {
    const only: Kind | undefined = name === "all-kinds" ? undefined : KINDS[name];
    this.kinds = only ? [only] : Object.values<Kind>(KINDS).filter(({ keys }) => keys !== "new");
    this.keys = only?.keys === "new" ? 0 : count;
    this.value = Buffer.alloc(valueBytes, "v");
    const suffix = only?.expiring ? `?ttl_ms=${ttlMs}` : "";
    this.filling = new Template({ method: "PUT", namespace, suffix, body: this.value });
    const bodies = { value: this.value, ttl: Buffer.from(`${TTL_BEFORE}${ttlMs}}`) };
    this.templates = this.kinds.map(
      ({ body, ...words }) => new Template({ namespace, ...words, body: body && bodies[body] }),
    );
    this.tags = new Tags(this.keys);
    this.underWay = new Uint8Array(this.keys);
  }

  fill(op: Operation, key: number) {
    op.form = FILL;
    op.kind = "put";
    op.key = key;
  }

  next(op: Operation): boolean {
    op.form = uniform(this.kinds.length);
    const { kind, keys } = this.kinds[op.form] as Kind;
    op.kind = kind;
    // Calls of all kinds are made on keys that may be there or not.
    if (keys === "standing" || this.kinds.length > 1) op.key = this.chooseKey();
    else op.key = this.used++;
    return keys !== "spent" || this.kinds.length > 1 || op.key < this.keys;
  }

  begin(op: Operation): Buffer {
    const { form, key } = op;
    const template = form === FILL ? this.filling : (this.templates[form] as Template);
    template.setKey(key);
    if (form === FILL) return template.bytes;
    const { ifMatch, body } = this.kinds[form] as Kind;
    if (key < this.keys) this.underWay[key] = 1;
    if (ifMatch) this.tags.put(key, template);
    if (body === "ttl") putDigits(template.body, TTL_BEFORE.length, TTL_DIGITS, ++ttlMs);
    return template.bytes;
  }

  judge({ form, key }: Operation, reader: ResponseReader): Verdict {
    const { status } = reader;
    if (key < this.keys) {
      this.underWay[key] = 0;
      this.tags.keep(key, reader);
    }
    if (form === FILL) return status === 204 ? "true" : "error";
    const kind = this.kinds[form] as Kind;
    if (status !== kind.right && !(this.kinds.length > 1 && kind.mixed.includes(status))) return "error";
    return status !== 200 || this.isWhole(kind, reader) ? "true" : "wrong";
  }

  /** Its key is as it was. */
  refused() {}

  nameOf(key: number): string {
    return `k${key}`;
  }

  /** One whose call was never answered is not asked for again: its tag is not known. */
  private chooseKey(): number {
    let key = uniform(this.keys);
    for (let i = 0; this.keys > 1 && this.underWay[key] === 1 && i < TRIES; i++) key = uniform(this.keys);
    return key;
  }

  /** Whether an answer's body is what was asked for. */
  private isWhole({ method, suffix }: Kind, { bytes, bodyStart, bodyEnd }: ResponseReader): boolean {
    if (method === "HEAD") return bodyStart === bodyEnd;
    if (method !== "GET" || suffix) return bodyEnd > bodyStart;
    return bytes.compare(this.value, 0, this.value.length, bodyStart, bodyEnd) === 0;
  }
}
