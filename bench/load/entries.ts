// The workloads that are mixes of calls, with every answer held against all calls on its key.

import type { Calls, Contents, Verdict } from "./calls.ts";
import { Checker, type Operation } from "./checker.ts";
import type { ResponseReader } from "./http-response.ts";
import { Requests } from "./requests.ts";
import { writeOf } from "./value.ts";
import type { Workload } from "./workload.ts";

export class Entries implements Calls {
  readonly keys: number;
  private readonly requests: Requests;
  private readonly checker: Checker;
  private readonly expected: { key: number; run: string; valueBytes: number };

  constructor(
    private readonly workload: Workload,
    contents: Contents,
  ) {
    this.keys = workload.keys.count;
    this.requests = new Requests(contents);
    this.checker = new Checker(this.keys);
    this.expected = { key: 0, ...contents };
  }

  fill(op: Operation, key: number) {
    op.kind = "put";
    op.key = key;
    op.ttlMs = 0;
  }

  next(op: Operation): boolean {
    this.workload.choose(op);
    return true;
  }

  begin(op: Operation, nowMs: number): Buffer {
    this.checker.begin(op, nowMs);
    return this.requests.bytesOf(op, op.key);
  }

  judge(op: Operation, { status, bytes, bodyStart, bodyEnd }: ResponseReader, nowMs: number): Verdict {
    const { kind } = op;
    if (kind === "read" && status === 200) {
      this.expected.key = op.key;
      return this.checker.value(op, writeOf(bytes, bodyStart, bodyEnd, this.expected)) ?? "true";
    }
    if (status === 404 && (kind === "read" || kind === "expire" || kind === "persist")) {
      return this.checker.absent(op, nowMs) ?? "true";
    }
    if (kind === "read" || status !== (kind === "expire" ? 200 : 204)) return "error";
    this.checker.done(op, nowMs);
    return "true";
  }

  refused(op: Operation) {
    this.checker.refused(op);
  }

  nameOf(key: number): string {
    return `k${key}`;
  }
}
