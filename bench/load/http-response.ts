// Reads HTTP/1.1 answers off a socket: as little as a load generator needs, and strict about that.

export class ProtocolError extends Error {}

/** An answer's head is a few hundred bytes; more than this is not one. */
const MAX_HEAD_BYTES = 16 * 1024;

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const VERSION = Buffer.from("HTTP/1.1 ");
const CONTENT_LENGTH = Buffer.from("content-length");
const TRANSFER_ENCODING = Buffer.from("transfer-encoding");
const CONNECTION = Buffer.from("connection");
const ETAG = Buffer.from("etag");

/** One answer at a time: `feed` chunks until it says that the answer is whole, then read the fields. */
export class ResponseReader {
  status = 0;
  /** Whether the server will close the connection after this answer. */
  closes = false;
  /** Where the whole answer is; the body lies between the two offsets. */
  bytes: Buffer = VERSION;
  bodyStart = 0;
  bodyEnd = 0;
  /** Where its entity tag is; nowhere if both are the same. */
  etagStart = 0;
  etagEnd = 0;
  /** To be set before an answer to HEAD: whatever length it states, it has no body. */
  toHead = false;

  private partial: Buffer[] = [];
  private partialBytes = 0;
  /** Bytes of the whole answer; 0 until its head is read. */
  private expected = 0;

  /** Takes the next bytes; true once the answer is whole. The bytes are valid until the socket's next event. */
  feed(chunk: Buffer): boolean {
    let bytes = chunk;
    if (this.partialBytes > 0) {
      this.partial.push(chunk);
      this.partialBytes += chunk.length;
      if (this.partialBytes < this.expected) return false;
      bytes = Buffer.concat(this.partial);
    }
    if (this.expected === 0 && !this.readHead(bytes)) return this.keep(bytes);
    if (bytes.length < this.expected) return this.keep(bytes);
    if (bytes.length > this.expected) throw new ProtocolError("bytes that belong to no answer");
    this.bytes = bytes;
    this.reset();
    return true;
  }

  /** Forgets what a broken connection left. */
  reset() {
    this.expected = 0;
    if (this.partialBytes === 0) return;
    this.partial = [];
    this.partialBytes = 0;
  }

  /** Copies, since a socket may reuse its buffer. */
  private keep(bytes: Buffer): false {
    this.partial = [this.partialBytes === 0 ? Buffer.from(bytes) : bytes];
    this.partialBytes = bytes.length;
    return false;
  }

  /** False when the head is not whole yet. */
  private readHead(bytes: Buffer): boolean {
    const end = bytes.length;
    let length = -1;
    let closes = false;
    let lineStart = 0;
    this.etagStart = 0;
    this.etagEnd = 0;
    for (let i = 0; ; i++) {
      while (i < end && bytes[i] !== LF) i++;
      if (i === end) {
        if (end > MAX_HEAD_BYTES) throw new ProtocolError("a head without an end");
        return false;
      }
      const lineEnd = i - 1;
      if (bytes[lineEnd] !== CR) throw new ProtocolError("a line that ends without a carriage return");
      if (lineStart === 0) this.status = statusOf(bytes, lineEnd);
      else if (lineEnd === lineStart) break;
      else {
        // Names are told apart by their length first: a look at the colon spares most comparisons.
        if (isHeader(bytes, lineStart, CONTENT_LENGTH)) length = lengthOf(bytes, lineStart, lineEnd, length);
        else if (isHeader(bytes, lineStart, TRANSFER_ENCODING)) throw new ProtocolError("a Transfer-Encoding");
        else if (isHeader(bytes, lineStart, ETAG)) {
          this.etagStart = lineStart + ETAG.length + 1;
          while (bytes[this.etagStart] === SPACE) this.etagStart++;
          this.etagEnd = lineEnd;
        } else if (isHeader(bytes, lineStart, CONNECTION)) {
          closes = bytes.toString("latin1", lineStart, lineEnd).toLowerCase().includes("close");
        }
      }
      lineStart = i + 1;
    }
    const bodiless = this.toHead || this.status === 204 || this.status === 304;
    if (!bodiless && length === -1) throw new ProtocolError("a body without a Content-Length");
    this.closes = closes;
    this.bodyStart = lineStart + 2;
    this.bodyEnd = this.bodyStart + (bodiless ? 0 : length);
    this.expected = this.bodyEnd;
    return true;
  }
}

function statusOf(bytes: Buffer, lineEnd: number): number {
  for (let i = 0; i < VERSION.length; i++) {
    if (bytes[i] !== VERSION[i]) throw new ProtocolError("something else than HTTP/1.1");
  }
  const status = digits(bytes, VERSION.length, VERSION.length + 3);
  const next = VERSION.length + 3;
  // Interim answers (1xx) are only sent to those who ask for them.
  if (status < 200 || (next !== lineEnd && bytes[next] !== SPACE)) throw new ProtocolError("a malformed status");
  return status;
}

function isHeader(bytes: Buffer, start: number, name: Buffer): boolean {
  if (bytes[start + name.length] !== COLON) return false;
  // Letters differ from their lower case in one bit; the hyphen has it set.
  for (let i = 0; i < name.length; i++) if (((bytes[start + i] as number) | SPACE) !== name[i]) return false;
  return true;
}

function lengthOf(bytes: Buffer, lineStart: number, lineEnd: number, before: number): number {
  let start = lineStart + CONTENT_LENGTH.length + 1;
  while (bytes[start] === SPACE) start++;
  const length = digits(bytes, start, lineEnd);
  if (before !== -1 && before !== length) throw new ProtocolError("two Content-Lengths");
  return length;
}

function digits(bytes: Buffer, start: number, end: number): number {
  if (end <= start || end > start + 15) throw new ProtocolError("a malformed number");
  let number = 0;
  for (let i = start; i < end; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (!(digit >= 0 && digit <= 9)) throw new ProtocolError("a malformed number");
    number = number * 10 + digit;
  }
  return number;
}
