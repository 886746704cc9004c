// Makes calls of one kind, or of several at random, and judges their answers. It is a workload of the load simulator's
// generator, so that every kind is driven by the same code and costs the same to drive.

import type { Calls, Verdict } from "../load/calls.ts";
import type { Operation } from "../load/checker.ts";
import type { ResponseReader } from "../load/http-response.ts";
import { Template } from "../load/requests.ts";
import { Tags } from "../load/tags.ts";
import { putDigits } from "../load/value.ts";
import { uniform } from "../random.ts";
import { VALUE } from "../system.ts";
import { isRead, type Kind } from "./kinds.ts";

const VALUE_BODY = Buffer.from(VALUE);
/** From three years on, so that nothing expires, and with as many digits for every later one. */
const TTL_DIGITS = 12;
const TTL_BEFORE = '{"ttl_ms":';
let ttlMs = 10 ** (TTL_DIGITS - 1);

/** An Operation's form, where it writes a key before the measurement. */
const FILL = -1;
/** Tries to find a key without a call under way. */
const TRIES = 100;

export interface ScriptOptions {
  namespace: string;
  /** One, or several that are made in equal shares. */
  kinds: Kind[];
  /** How many keys, if they are not new ones. */
  keys: number;
  /** Whether several calls may be under way on one key. */
  shared?: boolean;
}

export class Script implements Calls {
  readonly keys: number;
  /** By kind: calls begun, and those answered rightly. */
  readonly offered: number[];
  readonly answered: number[];
  /** The longest that a right answer took, from when its call was sent. */
  slowestMs = 0;

  private readonly kinds: Kind[];
  private readonly shared: boolean;
  private readonly filling: Template;
  private readonly templates: Template[];
  private readonly tags: Tags;
  private readonly underWay: Uint8Array;
  /** Keys that are new or spent, so far. */
  private used = 0;

  constructor({ namespace, kinds, keys, shared = false }: ScriptOptions) {
    const [first] = kinds as [Kind];
    this.kinds = kinds;
    this.shared = shared;
    this.keys = this.places === "new" ? 0 : keys;
    const suffix = kinds.length === 1 && first.expiring ? `?ttl_ms=${ttlMs}` : "";
    this.filling = new Template({ method: "PUT", namespace, suffix, body: VALUE_BODY });
    this.templates = kinds.map(({ body, ...words }) => new Template({ namespace, ...words, body: bodyOf(body) }));
    this.tags = new Tags(this.keys);
    this.underWay = new Uint8Array(this.keys);
    this.offered = kinds.map(() => 0);
    this.answered = kinds.map(() => 0);
  }

  fill(op: Operation, key: number) {
    op.form = FILL;
    op.kind = "put";
    op.key = key;
  }

  next(op: Operation): boolean {
    const { kinds, places } = this;
    op.form = kinds.length === 1 ? 0 : uniform(kinds.length);
    const { method, suffix } = kinds[op.form] as Kind;
    op.kind =
      method === "PUT" ? (suffix?.startsWith("/ttl") ? "expire" : "put") : method === "DELETE" ? "delete" : "read";
    if (places === "standing") {
      op.key = this.chooseKey();
      return true;
    }
    op.key = this.used++;
    return places === "new" || op.key < this.keys;
  }

  begin(op: Operation): Buffer {
    const { form, key } = op;
    const template = form === FILL ? this.filling : (this.templates[form] as Template);
    template.setKey(key);
    if (form === FILL) return template.bytes;
    const { ifMatch, body } = this.kinds[form] as Kind;
    this.offered[form] = (this.offered[form] as number) + 1;
    if (key < this.keys) this.underWay[key] = 1;
    if (ifMatch) this.tags.put(key, template);
    if (body === "ttl") putDigits(template.body, TTL_BEFORE.length, TTL_DIGITS, ++ttlMs);
    return template.bytes;
  }

  judge(op: Operation, reader: ResponseReader, nowMs: number): Verdict {
    const { form, key } = op;
    const { status } = reader;
    if (key < this.keys) {
      this.underWay[key] = 0;
      this.tags.keep(key, reader);
    }
    if (form === FILL) return status === 204 ? "true" : "error";
    const kind = this.kinds[form] as Kind;
    if (status !== kind.right && !(this.kinds.length > 1 && kind.mixed.includes(status))) return "error";
    if (status === 200 && !isWhole(kind, reader)) return "wrong";
    this.answered[form] = (this.answered[form] as number) + 1;
    if (nowMs - op.begunMs > this.slowestMs) this.slowestMs = nowMs - op.begunMs;
    return "true";
  }

  /** Its key is as it was. */
  refused() {}

  nameOf(key: number): string {
    return `k${key}`;
  }

  /** Which keys are asked for: calls of several kinds are all made on standing ones. */
  private get places(): Kind["keys"] {
    return this.kinds.length === 1 ? (this.kinds[0] as Kind).keys : "standing";
  }

  private chooseKey(): number {
    let key = uniform(this.keys);
    if (this.shared) return key;
    // One whose call was never answered is not asked for again: its tag is not known.
    for (let i = 0; this.underWay[key] === 1 && i < TRIES; i++) key = uniform(this.keys);
    return key;
  }
}

function bodyOf(body: Kind["body"]): Buffer | undefined {
  if (body === "value") return VALUE_BODY;
  return body && Buffer.from(`${TTL_BEFORE}${ttlMs}}`);
}

/** Whether an answer's body is what was asked for. */
function isWhole(kind: Kind, { bytes, bodyStart, bodyEnd }: ResponseReader): boolean {
  if (kind.method === "HEAD") return bodyStart === bodyEnd;
  if (!isRead(kind) || kind.suffix) return bodyEnd > bodyStart;
  return bytes.compare(VALUE_BODY, 0, VALUE_BODY.length, bodyStart, bodyEnd) === 0;
}
