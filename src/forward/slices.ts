// Which servers a request is sent to: those of the slice that has its key's shard, and any others where these can't be
// reached. A slice is routing and nothing else; every server does every call.

import { isWellEscaped, unescaped } from "../http/escapes.ts";
import { ENTRIES_PATH, rawPath } from "../http/path.ts";

const KEY = new RegExp(`^${ENTRIES_PATH}([^/]+)/([^/]+)`);

export class Slices {
  private turn = 0;
  private readonly scratch = new DataView(new ArrayBuffer(8));

  constructor(
    private readonly urls: string[],
    private readonly hash: (key: Uint8Array) => bigint,
  ) {}

  /** The slice's own first. What is about no one key goes to each in turn. */
  urlsFor(request: { url: string }): string[] {
    const first = this.sliceOf(rawPath(request));
    return [...this.urls.slice(first), ...this.urls.slice(0, first)];
  }

  private sliceOf(path: string): number {
    const { length } = this.urls;
    if (length === 1) return 0;
    const [, namespace = "", key] = KEY.exec(path) ?? [];
    if (key === undefined || !isWellEscaped(key)) {
      this.turn = (this.turn + 1) % length;
      return this.turn;
    }
    // Vitess compares the hash's bytes from the lowest on. Slices have equal parts of its range.
    this.scratch.setBigUint64(0, this.hash(Buffer.from(`${namespace}/${unescaped(key)}`, "latin1")), true);
    return Math.floor((this.scratch.getUint32(0, false) / 2 ** 32) * length);
  }
}
