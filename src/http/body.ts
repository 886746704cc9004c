// Receiving a request's body: how large it may be, how long it may take to arrive, whose memory it counts against, and what
// becomes of a request whose body ends early.

import { StoreError } from "../store/error.ts";
import { Problem } from "./problem.ts";

/** Sets bytes aside and returns what gives them back. Throws a StoreError, `overloaded`, where there is no room for them. */
export type Reserve = (bytes: number) => () => void;

export interface BodyOptions {
  maxBytes: number;
  /** The 413 for a body of more than that. */
  tooLarge: Problem;
  timeoutMs: number;
  /** Without it, what is being received is not counted. */
  reserve?: Reserve;
}

/** What every call with a body takes from the server's configuration. */
export interface ReceiveOptions {
  bodyTimeoutMs: number;
  reserve?: Reserve;
}

/** Of a body that is a document, of at most so many bytes. */
export function documentBody(maxBytes: number, { bodyTimeoutMs, reserve }: ReceiveOptions): BodyOptions {
  const tooLarge = new Problem("body_too_large", `The body is at most ${maxBytes} bytes.`);
  return { maxBytes, tooLarge, timeoutMs: bodyTimeoutMs, reserve };
}

/**
 * Receives a body and passes it on, and returns what `use` does.
 *
 * Its bytes are reserved by the length that is announced, before any of them is read, and where none is announced as
 * they come; they are given back at the moment at which `use`, which may count them itself, is called.
 *
 * Throws a 413 where the body is too large, before it is read if its length says so. Where it takes longer than
 * `timeoutMs`, it is a 408, however steadily bytes trickle in: a client holds memory for what it has sent. Where reading
 * fails, the client has gone away in the middle of it: a 400, that nobody reads.
 */
export async function receive<T>(
  request: Request,
  { maxBytes, tooLarge, timeoutMs, reserve }: BodyOptions,
  use: (body: Buffer) => T | Promise<T>,
): Promise<T> {
  const held: (() => void)[] = [];
  let isOver = false;
  const hold = (bytes: number) => {
    if (isOver) throw tooSlow(timeoutMs);
    if (reserve && bytes > 0) held.push(reserve(bytes));
  };
  let body: Buffer;
  try {
    const length = announcedLength(request.headers);
    if (length !== undefined) {
      // What is no number is no promise either.
      if (!(length <= maxBytes)) throw tooLarge;
      hold(length);
    }
    const reading = length === undefined ? readStream(request, maxBytes, tooLarge, hold) : request.bytes();
    const { buffer, byteOffset, byteLength } = await inTime<Uint8Array>(reading, timeoutMs);
    body = Buffer.from(buffer, byteOffset, byteLength);
  } finally {
    isOver = true;
    for (const release of held) release();
  }
  return use(body);
}

/** In bytes; undefined where the body's end will tell. */
function announcedLength(headers: Headers): number | undefined {
  const length = headers.get("Content-Length");
  return length === null || headers.has("Transfer-Encoding") ? undefined : Number(length);
}

/**
 * Making a stream of a body costs more than the rest of a request, so it is done only where no length is announced. The
 * chunks are not kept: each may be a byte, and is then an object of a hundred.
 */
async function readStream(
  { body }: Request,
  maxBytes: number,
  tooLarge: Problem,
  hold: (bytes: number) => void,
): Promise<Uint8Array> {
  let buffer = Buffer.alloc(0);
  let size = 0;
  for await (const chunk of body ?? []) {
    const end = size + chunk.length;
    if (end > maxBytes) throw tooLarge;
    const room = end <= buffer.length ? buffer.length : Math.min(maxBytes, Math.max(end, 2 * buffer.length));
    hold(room - buffer.length);
    if (room > buffer.length) buffer = Buffer.concat([buffer.subarray(0, size)], room);
    buffer.set(chunk, size);
    size = end;
  }
  return buffer.subarray(0, size);
}

/** A race with a timer, by hand because Promise.race would make more promises for each PUT. */
function inTime<T>(reading: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooSlow(timeoutMs)), timeoutMs);
    reading.then(
      (body) => {
        clearTimeout(timer);
        resolve(body);
      },
      (error) => {
        clearTimeout(timer);
        const isKnown = error instanceof Problem || error instanceof StoreError;
        reject(isKnown ? error : new Problem("incomplete_body"));
      },
    );
  });
}

function tooSlow(timeoutMs: number) {
  const detail = `The body did not arrive within ${timeoutMs} ms; nothing was changed.`;
  // Else the connection would stay open for the rest of it.
  return new Problem("request_timeout", detail, { Connection: "close" });
}
