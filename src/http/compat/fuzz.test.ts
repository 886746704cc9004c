// Requests to Cloudflare's interfaces that are made of pieces, most of which are wrong somewhere: whatever comes, none is
// answered with a 5xx, and each is answered. Over the model store; FUZZ_SEED repeats a run.

import { expect, test } from "bun:test";
import pino from "pino";
import { createApp } from "../../app.ts";
import { ModelStore } from "../../store/model.ts";

const REQUESTS = 2_500;
/** Of one request, even on a slow machine. */
const HANGS_MS = 20_000;

const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1e9);
let state = seed;
/** Mulberry32. */
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const upTo = (n: number) => Math.floor(random() * n);
const one = <T>(of: readonly T[]): T => of[upTo(of.length)] as T;
const some = <T>(most: number, make: () => T): T[] => Array.from({ length: upTo(most + 1) }, make);

const KEYS = ["k", "a%2Fb", "%C3%BC", "%ff", "%zz", "%00", "..", "%2e", "", "a/b", "k".repeat(600), "__proto__", "k?k"];
const NAMESPACES = ["ns", "n%20s", "", "%", "..", "x".repeat(70), "0f2ac74b498b48028cb68387c421e279"];
const ENDS = ["", "/keys", "/bulk", "/bulk/get", "/bulk/delete", "/values", "/values/", "/metadata/", "/rest"];
const FIELDS = ["expiration", "expiration_ttl", "limit", "cursor", "prefix", "page", "per_page", "order", "urlencoded"];
const TEXTS = ["", "1", "-1", "0", "1e9", "99999999999999", "0.5", "true", "%ff", "%", "ü", "eyJxIjoiIn0", "id", "key"];
const NAMES = [
  "key",
  "value",
  "base64",
  "metadata",
  "expiration",
  "expiration_ttl",
  "keys",
  "type",
  "withMetadata",
  "title",
];

/** What might stand in a document. */
function part(depth = 0): unknown {
  const leaf = () =>
    one([null, true, 0, -1, 1e300, 60, "k", "", "\ud800", "é😀", "%", "x".repeat(2_000), "text", "json"]);
  if (depth > 3 || random() < 0.4) return leaf();
  if (random() < 0.5) return some(4, () => part(depth + 1));
  return Object.fromEntries(some(5, () => [one([...NAMES, "__proto__", "constructor"]), part(depth + 1)]));
}

function form(): string {
  const parts = some(4, () => {
    const name = one([
      "value",
      "metadata",
      "metadata[a]",
      "metadata[a][]",
      "metadata[a][b]",
      "metadata[",
      "other",
      "",
      '"',
    ]);
    const file = one(["", '; filename="f"', "; filename"]);
    return `--b\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${one(["1", "{", "ü\0", "--b", ""])}\r\n`;
  });
  return parts.join("") + one(["--b--\r\n", "--b--", "--b", "", "\r\n"]);
}

function body(): string | Buffer {
  const kind = random();
  if (kind < 0.6) return JSON.stringify(part()).slice(0, random() < 0.1 ? upTo(50) : undefined);
  if (kind < 0.85) return form();
  return Buffer.from(some(200, () => upTo(256)));
}

const HEADERS: [string, string[]][] = [
  ["Content-Type", ["multipart/form-data; boundary=b", "multipart/form-data", "application/json", "a/b, c/d"]],
  ["KV-Namespace", ["ns", "n s", ""]],
  ["CF-KV-Metadata", ['{"a":1}', "{", '"\u00ff"', "null"]],
  ["CF-KV-FLPROD-405", ["https://fake-host/k"]],
  ["Content-Encoding", ["gzip"]],
  ["Content-Length", ["-1", "9999999999", "x"]],
  ["X-Auth-Key", ["x"]],
];

function request(): Request {
  const isBound = random() < 0.4;
  const namespaces = `/client/v4/accounts/a/storage/kv/namespaces${one(["", `/${one(NAMESPACES)}`])}`;
  const path = isBound ? `/${one([...KEYS, "bulk/get"])}` : namespaces + one(ENDS) + one(["", one(KEYS)]);
  const query = some(2, () => `${one(FIELDS)}=${one(TEXTS)}`).join("&");
  const headers = new Headers(isBound ? { "KV-Namespace": "ns" } : {});
  for (const [name, values] of HEADERS) if (random() < 0.2) headers.set(name, one(values));
  const method = one(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]);
  const sent = method === "GET" || method === "HEAD" ? undefined : body();
  return new Request(`http://kv${path}${query && `?${query}`}`, { method, headers, body: sent });
}

test(`no request is answered with a 5xx, or not at all (seed ${seed})`, async () => {
  const app = createApp(new ModelStore(), {
    ...{ maxValueBytes: 4_096, bodyTimeoutMs: HANGS_MS / 2, log: pino({ level: "silent" }) },
    ...{ isDraining: () => false, isFull: () => false },
  });
  const statuses = new Map<number, number>();
  for (let i = 0; i < REQUESTS; i++) {
    const sent = request();
    const told = `${i}: ${sent.method} ${sent.url}`;
    const hung = Bun.sleep(HANGS_MS).then(() => undefined);
    const answer = await Promise.race([app.fetch(sent), hung]);
    if (!answer || answer.status >= 500) throw new Error(`${told} → ${answer?.status} ${await answer?.text()}`);
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
  }
  // Not all of it was wrong.
  expect(statuses.get(200)).toBeGreaterThan(50);
  expect(statuses.get(204)).toBeGreaterThan(10);
  expect(statuses.get(400)).toBeGreaterThan(500);
}, 120_000);
