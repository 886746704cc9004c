// Entity tags as answers give them, kept without an object for each.

import type { ResponseReader } from "./http-response.ts";
import type { Template } from "./requests.ts";

const MOST_BYTES = 64;

export class Tags {
  private readonly bytes: Buffer;
  private readonly lengths: Uint8Array;

  constructor(count: number) {
    this.bytes = Buffer.alloc(count * MOST_BYTES);
    this.lengths = new Uint8Array(count);
  }

  /** Keeps an answer's tag; false if it has none, or none that this can hold. */
  keep(index: number, { bytes, etagStart, etagEnd }: ResponseReader): boolean {
    const length = etagEnd - etagStart;
    if (length === 0 || length > MOST_BYTES) return false;
    bytes.copy(this.bytes, index * MOST_BYTES, etagStart, etagEnd);
    this.lengths[index] = length;
    return true;
  }

  /** Writes it into a request. */
  put(index: number, template: Template) {
    const start = index * MOST_BYTES;
    template.setTag(this.bytes, start, start + (this.lengths[index] as number));
  }
}
