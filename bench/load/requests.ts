// The bytes of each request, made once: a call only writes its digits into them.

import type { Contents } from "./calls.ts";
import type { Operation } from "./checker.ts";
import { fillValue, KEY_DIGITS, putDigits, refillValue } from "./value.ts";
import { TTLS_MS } from "./workload.ts";

export interface Words {
  method: string;
  namespace: string;
  /** What stands before the key. */
  path?: string;
  /** In the key's name, before its digits. */
  letter?: string;
  /** Behind the key. */
  suffix?: string;
  /** Whole lines. */
  headers?: string;
  /** Whether `setTag` gives the tag of an If-Match. */
  ifMatch?: boolean;
  body?: Buffer;
}

export class Template {
  /** The request; what is set stays until it is set again. */
  bytes: Buffer = Buffer.of();
  /** The part of it that is the body. */
  body: Buffer = Buffer.of();
  private key = 0;
  private keyAt = 0;
  private tagAt = 0;
  private tagBytes = 0;

  constructor(private readonly words: Words) {
    this.body = words.body ?? this.body;
    this.build();
  }

  setKey(key: number) {
    this.key = key;
    putDigits(this.bytes, this.keyAt, KEY_DIGITS, key);
  }

  /** The tag, quotes included, is `source[start, end)`. */
  setTag(source: Buffer, start: number, end: number) {
    if (end - start !== this.tagBytes) {
      this.tagBytes = end - start;
      this.build();
    }
    source.copy(this.bytes, this.tagAt, start, end);
  }

  private build() {
    const { method, namespace, letter = "k", suffix = "", headers = "", ifMatch, body } = this.words;
    const path = `${method} ${this.words.path ?? `/v1/kv/${namespace}/`}${letter}`;
    const length = body ? `Content-Length: ${body.length}\r\n` : "";
    const lines = `${path}${"0".repeat(KEY_DIGITS)}${suffix} HTTP/1.1\r\nHost: localhost\r\n${length}${headers}`;
    const beforeTag = `${lines}${ifMatch ? "If-Match: " : ""}`;
    const head = `${beforeTag}${" ".repeat(this.tagBytes)}${ifMatch ? "\r\n" : ""}\r\n`;
    this.keyAt = path.length;
    this.tagAt = beforeTag.length;
    this.bytes = Buffer.concat([Buffer.from(head), this.body]);
    this.body = this.bytes.subarray(head.length);
    this.setKey(this.key);
  }
}

/** A PUT of a value that names its key, run and write. */
export class MarkedPut extends Template {
  constructor({ namespace, run, valueBytes }: Contents, words: Partial<Words> = {}) {
    const value = Buffer.alloc(valueBytes);
    fillValue(value, 0, run, 0);
    super({ method: "PUT", namespace, ...words, body: value });
  }

  set(key: number, write: number) {
    this.setKey(key);
    refillValue(this.body, key, write);
  }
}

/** Those of the workloads that are mixes. */
export class Requests {
  private readonly put: MarkedPut;
  private readonly expiringPut: Map<number, MarkedPut>;
  private readonly expire: Map<number, Template>;
  private readonly others: Record<"read" | "persist" | "delete", Template>;

  constructor(contents: Contents) {
    const { namespace } = contents;
    this.put = new MarkedPut(contents);
    this.expiringPut = new Map(TTLS_MS.map((ms) => [ms, new MarkedPut(contents, { suffix: `?ttl_ms=${ms}` })]));
    const expire = (ms: number) =>
      new Template({ method: "PUT", namespace, suffix: "/ttl", body: Buffer.from(`{"ttl_ms":${ms}}`) });
    this.expire = new Map(TTLS_MS.map((ms) => [ms, expire(ms)]));
    this.others = {
      read: new Template({ method: "GET", namespace }),
      persist: new Template({ method: "DELETE", namespace, suffix: "/ttl" }),
      delete: new Template({ method: "DELETE", namespace }),
    };
  }

  /** The request, in a buffer that the next call overwrites. */
  bytesOf({ kind, ttlMs, write }: Operation, key: number): Buffer {
    if (kind === "put") {
      const template = ttlMs === 0 ? this.put : (this.expiringPut.get(ttlMs) as MarkedPut);
      template.set(key, write);
      return template.bytes;
    }
    const template = kind === "expire" ? (this.expire.get(ttlMs) as Template) : this.others[kind];
    template.setKey(key);
    return template.bytes;
  }
}
