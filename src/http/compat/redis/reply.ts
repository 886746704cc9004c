// What a command answers, and how that is written as JSON: as Upstash's REST interface writes it.

/** A simple string of the protocol, such as OK. */
export class Status {
  constructor(readonly text: string) {}
}

export const OK = new Status("OK");

/** An error of the protocol: its first word, in capitals, is its kind. */
export class RedisError extends Error {}

/** What is no command of ours, or has not as many arguments as it must: a transaction that holds it does not happen. */
export class NoCommand extends RedisError {}

export type Reply = null | number | bigint | Buffer | Status | RedisError | Reply[];

export type Encoding = "base64" | "text";

export const SYNTAX_ERROR = new RedisError("ERR syntax error");
export const NOT_AN_INTEGER = new RedisError("ERR value is not an integer or out of range");
export const TOO_LARGE = new RedisError("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

/** `{"result": …}`, or `{"error": …}` of what failed. */
export function documentOf(reply: Reply, encoding: Encoding): string {
  if (reply instanceof RedisError) return JSON.stringify({ error: reply.message });
  // Clients take this one word as it is, and only where it stands alone.
  const result = reply instanceof Status && reply.text === "OK" ? '"OK"' : jsonOf(reply, encoding);
  return `{"result":${result}}`;
}

/** Integers have all their digits, which JSON allows and JSON.stringify does not write. */
function jsonOf(reply: Reply, encoding: Encoding): string {
  if (reply === null) return "null";
  if (typeof reply === "number" || typeof reply === "bigint") return String(reply);
  if (Array.isArray(reply)) return `[${reply.map((each) => jsonOf(each, encoding)).join(",")}]`;
  if (reply instanceof Status) return textOf(Buffer.from(reply.text), encoding);
  // Inside an answer an error is a text.
  if (reply instanceof RedisError) return textOf(Buffer.from(reply.message), encoding);
  return textOf(reply, encoding);
}

/** As text, bytes that are no UTF-8 become U+FFFD. */
function textOf(bytes: Buffer, encoding: Encoding): string {
  return JSON.stringify(encoding === "base64" ? bytes.toString("base64") : bytes.toString("utf8"));
}

/** Bytes of the values in an answer. */
export function bytesOf(reply: Reply): number {
  if (Array.isArray(reply)) return reply.reduce<number>((sum, each) => sum + bytesOf(each), 0);
  return Buffer.isBuffer(reply) ? reply.length : 0;
}
