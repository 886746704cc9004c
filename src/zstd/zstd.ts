// zstd with dictionaries that are prepared once, as WebAssembly, which every runtime has. The runtimes' own zstd and zlib
// read the dictionary again for each value, which takes longer than to pack it.

import { DICTIONARY_VALUE_BYTES } from "../limits.ts";

/** What codec.c exports. Lengths and places of 0 are errors. */
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
  makeDictionary(
    content: number,
    bytes: number,
    samples: number,
    sampleBytes: number,
    count: number,
    level: number,
  ): number;
}

/** Up to here a level saves more disk than it costs cores, by the capacity model; above it, hardly a byte. */
const LEVEL = 6;
/** What compressors are tuned for; they take values of any other length too. */
const USUAL_VALUE_BYTES = 1024;
/** Of each so many are kept: about 120 kB a compressor and 35 kB a decompressor. To prepare one takes as long as ten values. */
const PREPARED = 256;
const MAGIC = Buffer.from([0x37, 0xa4, 0x30, 0xec]);

/** Whether these are a dictionary that `Zstd.makeDictionary` has made. */
export function isDictionary(bytes: Buffer): boolean {
  return bytes.subarray(0, MAGIC.length).equals(MAGIC);
}

export class Zstd {
  private readonly wasm: Exports;
  private readonly inputAt: number;
  private readonly outputAt: number;
  private readonly compressors: Prepared;
  private readonly decompressors: Prepared;
  private memory: Buffer = Buffer.alloc(0);

  /** `module` is zstd.wasm. */
  constructor(module: WebAssembly.Module) {
    this.wasm = new WebAssembly.Instance(module).exports as unknown as Exports;
    this.wasm._initialize();
    if (!this.wasm.begin()) throw new Error("zstd has no memory");
    this.inputAt = this.wasm.inputAt();
    this.outputAt = this.wasm.outputAt();
    const { compressor, freeCompressor, decompressor, freeDecompressor } = this.wasm;
    this.compressors = new Prepared(freeCompressor, (bytes) =>
      this.withCopies([bytes], (at) => compressor(at, bytes.length, LEVEL, USUAL_VALUE_BYTES)),
    );
    this.decompressors = new Prepared(freeDecompressor, (bytes) =>
      this.withCopies([bytes], (at) => decompressor(at, bytes.length)),
    );
  }

  /** Of a value of at most `DICTIONARY_VALUE_BYTES`; undefined where zstd can't. */
  compress(value: Buffer, dictionary: Buffer): Buffer | undefined {
    const compressor = value.length <= DICTIONARY_VALUE_BYTES ? this.compressors.of(dictionary) : 0;
    if (compressor === 0) return undefined;
    this.heap.set(value, this.inputAt);
    return this.output(this.wasm.compress(compressor, value.length));
  }

  /** The value of exactly so many bytes; undefined where it is anything else. */
  decompress(compressed: Buffer, dictionary: Buffer, bytes: number): Buffer | undefined {
    const isPossible = Math.max(compressed.length, bytes) <= DICTIONARY_VALUE_BYTES;
    const decompressor = isPossible ? this.decompressors.of(dictionary) : 0;
    if (decompressor === 0) return undefined;
    this.heap.set(compressed, this.inputAt);
    const length = this.wasm.decompress(decompressor, compressed.length, bytes);
    return length === bytes ? this.output(length) : undefined;
  }

  /**
   * Of a content of at most half of `DICTIONARY_VALUE_BYTES`, whose most frequent parts come last, and of samples whose
   * statistics it gets: how often bytes and lengths are in them. Undefined where zstd can't.
   */
  makeDictionary(content: Buffer, samples: Buffer[]): Buffer | undefined {
    const lengths = Buffer.from(Uint32Array.from(samples, ({ length }) => length).buffer);
    const copies = [content, Buffer.concat(samples), lengths];
    return this.output(
      this.withCopies(copies, (at, samplesAt, lengthsAt) =>
        this.wasm.makeDictionary(at, content.length, samplesAt, lengthsAt, samples.length, LEVEL),
      ),
    );
  }

  /** A view of zstd's memory. Where the memory has grown, the view of before has no bytes. */
  private get heap(): Buffer {
    if (this.memory.length === 0) this.memory = Buffer.from(this.wasm.memory.buffer);
    return this.memory;
  }

  private output(length: number): Buffer | undefined {
    return length > 0 ? Buffer.from(this.heap.subarray(this.outputAt, this.outputAt + length)) : undefined;
  }

  /** What `use` returns, which gets the places of copies in zstd's memory; 0 where there is none left. */
  private withCopies(all: Buffer[], use: (...at: [number, number, number]) => number): number {
    const places = all.map(({ length }) => this.wasm.allocate(length));
    const isPossible = !places.includes(0);
    for (const [i, bytes] of isPossible ? all.entries() : []) this.heap.set(bytes, places[i]);
    const result = isPossible ? use(...(places as [number, number, number])) : 0;
    for (const at of places) this.wasm.release(at);
    return result;
  }
}

/** Prepared dictionaries. Where there are too many, the oldest is released, and prepared again when it is needed. */
class Prepared {
  private readonly prepared = new Map<Buffer, number>();

  constructor(
    private readonly release: (prepared: number) => void,
    private readonly prepare: (dictionary: Buffer) => number,
  ) {}

  /** 0 where zstd can't prepare it. */
  of(dictionary: Buffer): number {
    const known = this.prepared.get(dictionary);
    if (known !== undefined) return known;
    if (this.prepared.size >= PREPARED) this.releaseOldest();
    const made = this.prepare(dictionary);
    if (made !== 0) this.prepared.set(dictionary, made);
    return made;
  }

  private releaseOldest() {
    const [oldest, prepared] = this.prepared.entries().next().value as [Buffer, number];
    this.prepared.delete(oldest);
    this.release(prepared);
  }
}
