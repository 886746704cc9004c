// What a stored value looks like: a mark that names its key, the run and the write, repeated to the value's length,
// so that a value that is cut off, or mixed from two writes, shows wherever that happened.

export const MARK_BYTES = 32;
export const KEY_DIGITS = 8;
export const RUN_CHARACTERS = 8;
const WRITE_DIGITS = 12;
/** `k` and the key, the run, the write, with a space between them and a line feed at the end. */
const RUN_AT = 1 + KEY_DIGITS + 1;
const WRITE_AT = RUN_AT + RUN_CHARACTERS + 1;
const LINE_FEED_AT = WRITE_AT + WRITE_DIGITS;

/** The value belongs to another run. */
export const FOREIGN = 0;
/** The value is none that this program wrote under that key. */
export const MALFORMED = -1;

/** Writes a value of the buffer's length, at least `MARK_BYTES`. */
export function fillValue(value: Buffer, key: number, run: string, write: number) {
  const mark = value.subarray(0, MARK_BYTES);
  mark.fill(" ");
  mark.write("k", 0, "latin1");
  putDigits(mark, 1, KEY_DIGITS, key);
  mark.write(run, RUN_AT, "latin1");
  putDigits(mark, WRITE_AT, WRITE_DIGITS, write);
  mark.write("\n", LINE_FEED_AT, "latin1");
  repeatMark(value);
}

/** The same for a buffer that already holds a value of this run: only what differs is written. */
export function refillValue(value: Buffer, key: number, write: number) {
  putDigits(value, 1, KEY_DIGITS, key);
  putDigits(value, WRITE_AT, WRITE_DIGITS, write);
  repeatMark(value);
}

function repeatMark(value: Buffer) {
  for (let filled = MARK_BYTES; filled < value.length; filled *= 2) value.copy(value, filled, 0, filled);
}

/** The write of this run that `bytes[start, end)` came from, FOREIGN, or MALFORMED. */
export function writeOf(
  bytes: Buffer,
  start: number,
  end: number,
  expected: { key: number; run: string; valueBytes: number },
): number {
  const length = end - start;
  if (length < MARK_BYTES || bytes[start] !== 0x6b || bytes[start + LINE_FEED_AT] !== 0x0a) return MALFORMED;
  if (digits(bytes, start + 1, KEY_DIGITS) !== expected.key) return MALFORMED;
  const write = digits(bytes, start + WRITE_AT, WRITE_DIGITS);
  if (write === -1) return MALFORMED;
  if (length > MARK_BYTES && bytes.compare(bytes, start, end - MARK_BYTES, start + MARK_BYTES, end) !== 0) {
    return MALFORMED;
  }
  for (let i = 0; i < RUN_CHARACTERS; i++) {
    if (bytes[start + RUN_AT + i] !== expected.run.charCodeAt(i)) return FOREIGN;
  }
  return length === expected.valueBytes && write > 0 ? write : MALFORMED;
}

/** Writes a number in as many decimal digits. */
export function putDigits(bytes: Buffer, start: number, count: number, number: number) {
  let rest = number;
  for (let i = start + count - 1; i >= start; i--) {
    const next = Math.floor(rest / 10);
    bytes[i] = 0x30 + rest - next * 10;
    rest = next;
  }
}

function digits(bytes: Buffer, start: number, count: number): number {
  let number = 0;
  for (let i = start; i < start + count; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return -1;
    number = number * 10 + digit;
  }
  return number;
}
