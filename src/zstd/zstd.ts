// zstd with dictionaries that are made ready once, as WebAssembly, which every runtime has: it packs a value of a kB in
// a fifth of the time that zlib takes, and unpacks it in a quarter, because zlib reads the dictionary for each value.

import { PACKED_BYTES } from "../limits.ts";

/** What codec.c exports. Lengths of 0 are errors. */
interface Exports {
  memory: WebAssembly.Memory;
  inputAt(): number;
  outputAt(): number;
  _initialize(): void;
  begin(): number;
  allocate(bytes: number): number;
  release(at: number): void;
  compressor(at: number, bytes: number, level: number, valueBytes: number): number;
  freeCompressor(compressor: number): void;
  decompressor(at: number, bytes: number): number;
  freeDecompressor(decompressor: number): void;
  compress(compressor: number, bytes: number): number;
  decompress(decompressor: number, bytes: number, most: number): number;
  /** At `at`, of at most so many bytes, of the content and of samples whose lengths are at `lengths`. */
  makeDictionary(
    at: number,
    most: number,
    content: number,
    contentBytes: number,
    samples: number,
    lengths: number,
    count: number,
    level: number,
  ): number;
}

/** Chosen by money, see "What planning decided" in DESIGN.md: higher ones take longer and gain nothing. */
const LEVEL = 6;
/** What compressors are made ready for; other values take them as they are. */
const USUAL_VALUE_BYTES = 1024;
/** That are kept ready, of about 120 kB and 35 kB each; to make one ready again takes as long as ten values. */
const READY = { compressors: 256, decompressors: 1024 };
/** Beyond its content a dictionary has statistics. */
const STATISTICS_BYTES = 1024;
const MAGIC = Buffer.from([0x37, 0xa4, 0x30, 0xec]);

/** Whether these are a dictionary that `Zstd.makeDictionary` has made. */
export function isDictionary(bytes: Buffer): boolean {
  return bytes.subarray(0, MAGIC.length).equals(MAGIC);
}

export class Zstd {
  private readonly wasm: Exports;
  private readonly inputAt: number;
  private readonly outputAt: number;
  private readonly compressors: Ready;
  private readonly decompressors: Ready;
  private memory: Buffer = Buffer.alloc(0);

  /** Of zstd.wasm. */
  constructor(module: WebAssembly.Module) {
    this.wasm = new WebAssembly.Instance(module).exports as unknown as Exports;
    this.wasm._initialize();
    if (!this.wasm.begin()) throw new Error("zstd has no memory");
    this.inputAt = this.wasm.inputAt();
    this.outputAt = this.wasm.outputAt();
    const { compressor, freeCompressor, decompressor, freeDecompressor } = this.wasm;
    this.compressors = new Ready(READY.compressors, freeCompressor, (bytes) =>
      this.with([bytes], (at) => compressor(at, bytes.length, LEVEL, USUAL_VALUE_BYTES)),
    );
    this.decompressors = new Ready(READY.decompressors, freeDecompressor, (bytes) =>
      this.with([bytes], (at) => decompressor(at, bytes.length)),
    );
  }

  /** A value of at most `PACKED_BYTES`; undefined where zstd can't. */
  compress(value: Buffer, dictionary: Buffer): Buffer | undefined {
    const compressor = value.length <= PACKED_BYTES ? this.compressors.of(dictionary) : 0;
    if (compressor === 0) return undefined;
    this.heap.set(value, this.inputAt);
    return this.output(this.wasm.compress(compressor, value.length));
  }

  /** A value of so many bytes; undefined where it is another, or none. */
  decompress(compressed: Buffer, dictionary: Buffer, bytes: number): Buffer | undefined {
    const isPossible = Math.max(compressed.length, bytes) <= PACKED_BYTES;
    const decompressor = isPossible ? this.decompressors.of(dictionary) : 0;
    if (decompressor === 0) return undefined;
    this.heap.set(compressed, this.inputAt);
    const length = this.wasm.decompress(decompressor, compressed.length, bytes);
    return length === bytes ? this.output(length) : undefined;
  }

  /**
   * A dictionary with this content, what is found most often last, and with statistics of the samples; undefined where zstd
   * can't make one.
   */
  makeDictionary(content: Buffer, samples: Buffer[]): Buffer | undefined {
    const lengths = Buffer.from(Uint32Array.from(samples, ({ length }) => length).buffer);
    const room = Buffer.alloc(content.length + STATISTICS_BYTES);
    let made: Buffer | undefined;
    this.with([room, content, Buffer.concat(samples), lengths], (at, contentAt, samplesAt, lengthsAt) => {
      const sizes = [at, room.length, contentAt, content.length] as const;
      const length = this.wasm.makeDictionary(...sizes, samplesAt, lengthsAt, samples.length, LEVEL);
      if (length > 0) made = Buffer.from(this.heap.subarray(at, at + length));
      return length;
    });
    return made;
  }

  /** zstd's memory. Where it has grown, it is at another place. */
  private get heap(): Buffer {
    if (this.memory.length === 0) this.memory = Buffer.from(this.wasm.memory.buffer);
    return this.memory;
  }

  private output(length: number): Buffer | undefined {
    return length > 0 ? Buffer.from(this.heap.subarray(this.outputAt, this.outputAt + length)) : undefined;
  }

  /** Calls `use` with the places of copies of these, which are let go afterwards. 0 where there is no memory. */
  private with(all: Buffer[], use: (...at: [number, number, number, number]) => number): number {
    const places = all.map(({ length }) => this.wasm.allocate(length));
    const isPossible = !places.includes(0);
    for (const [i, bytes] of isPossible ? all.entries() : []) this.heap.set(bytes, places[i]);
    const result = isPossible ? use(...(places as [number, number, number, number])) : 0;
    for (const at of places) this.wasm.release(at);
    return result;
  }
}

/** Dictionaries made ready: where there are too many, the one that was first is made ready again when it is needed. */
class Ready {
  private readonly ready = new Map<Buffer, number>();

  constructor(
    private readonly most: number,
    private readonly free: (ready: number) => void,
    private readonly make: (dictionary: Buffer) => number,
  ) {}

  /** 0 where zstd can't make it ready. */
  of(dictionary: Buffer): number {
    const known = this.ready.get(dictionary);
    if (known !== undefined) return known;
    const made = this.make(dictionary);
    if (made === 0) return 0;
    this.ready.set(dictionary, made);
    if (this.ready.size > this.most) {
      const [first, old] = this.ready.entries().next().value as [Buffer, number];
      this.ready.delete(first);
      this.free(old);
    }
    return made;
  }
}
