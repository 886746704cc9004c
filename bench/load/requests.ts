// The bytes of each request, made once: a call only writes its digits into them.

import type { Operation } from "./checker.ts";
import { fillValue, KEY_DIGITS, putDigits, refillValue } from "./value.ts";
import { TTLS_MS } from "./workload.ts";

interface Template {
  bytes: Buffer;
  keyAt: number;
  /** The part that is a marked value. */
  value: Buffer | undefined;
}

export class Requests {
  private readonly read: Template;
  private readonly put: Template;
  private readonly expiringPut: Map<number, Template>;
  private readonly expire: Map<number, Template>;
  private readonly persist: Template;
  private readonly delete: Template;

  constructor({ namespace, run, valueBytes }: RequestOptions) {
    const make = (method: string, suffix: string, body: Buffer | undefined, marked: boolean): Template => {
      const path = `${method} /v1/kv/${namespace}/k`;
      const length = body ? `Content-Length: ${body.length}\r\n` : "";
      const head = Buffer.from(`${path}${"0".repeat(KEY_DIGITS)}${suffix} HTTP/1.1\r\nHost: load\r\n${length}\r\n`);
      const bytes = Buffer.concat([head, body ?? Buffer.of()]);
      return { bytes, keyAt: path.length, value: marked ? bytes.subarray(head.length) : undefined };
    };
    const value = Buffer.alloc(valueBytes);
    fillValue(value, 0, run, 0);
    const perTtl = (template: (ttlMs: number) => Template) => new Map(TTLS_MS.map((ms) => [ms, template(ms)]));
    this.read = make("GET", "", undefined, false);
    this.put = make("PUT", "", value, true);
    this.expiringPut = perTtl((ms) => make("PUT", `?ttl_ms=${ms}`, value, true));
    this.expire = perTtl((ms) => make("PUT", "/ttl", Buffer.from(`{"ttl_ms":${ms}}`), false));
    this.persist = make("DELETE", "/ttl", undefined, false);
    this.delete = make("DELETE", "", undefined, false);
  }

  /** The request, in a buffer that the next call overwrites. */
  bytesOf({ kind, ttlMs, write }: Operation, key: number): Buffer {
    const template = kind === "put" && ttlMs === 0 ? this.put : this.templateOf(kind, ttlMs);
    putDigits(template.bytes, template.keyAt, KEY_DIGITS, key);
    if (template.value) refillValue(template.value, key, write);
    return template.bytes;
  }

  private templateOf(kind: Operation["kind"], ttlMs: number): Template {
    if (kind === "put") return this.expiringPut.get(ttlMs) as Template;
    return kind === "expire" ? (this.expire.get(ttlMs) as Template) : this[kind];
  }
}

export interface RequestOptions {
  namespace: string;
  run: string;
  valueBytes: number;
}
