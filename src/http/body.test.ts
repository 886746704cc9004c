// Bodies that arrive slowly, in pieces or not at all, over real sockets: what they may cost meanwhile, and what is answered.
// The store is a fake.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import { createApp } from "../app.ts";
import { StoreError } from "../store/error.ts";
import { ModelStore } from "../store/model.ts";

const MAX_BYTES = 100_000;
const BODY_MS = 500;
/** Room for what is being received: for two of the largest values and a little. */
const ROOM_BYTES = 2 * MAX_BYTES + 10;

let held = 0;
let most = 0;
/** Held when the store was called. */
let atStore: number[] = [];
let store = new ModelStore();
const app = createApp(
  {
    ping: () => store.ping(),
    put: (...args: Parameters<ModelStore["put"]>) => {
      atStore.push(held);
      return store.put(...args);
    },
    expire: (...args: Parameters<ModelStore["expire"]>) => {
      atStore.push(held);
      return store.expire(...args);
    },
  } as ModelStore,
  {
    maxValueBytes: MAX_BYTES,
    bodyTimeoutMs: BODY_MS,
    log: pino({ level: "silent" }),
    isDraining: () => false,
    isFull: () => false,
    reserve: (bytes) => {
      if (held + bytes > ROOM_BYTES) throw new StoreError("overloaded", "no room");
      held += bytes;
      most = Math.max(most, held);
      return () => {
        held -= bytes;
      };
    },
  },
);
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  fetch: (request) => app.fetch(request),
});
afterAll(() => server.stop(true));
beforeEach(() => {
  store = new ModelStore();
  atStore = [];
  most = 0;
  expect(held).toBe(0);
});

async function until(condition: () => boolean) {
  const end = performance.now() + 10 * BODY_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error("it did not happen in time");
    await sleep(5);
  }
}

class Client {
  private answer = "";
  private readonly socket: Socket = connect(server.port as number, "127.0.0.1");

  constructor(head: string, body = "") {
    this.socket.on("data", (data) => {
      this.answer += data;
    });
    this.socket.on("error", () => {});
    this.send(`${head}\r\n\r\n${body}`);
  }

  send(text: string) {
    this.socket.write(text);
  }

  leave() {
    this.socket.destroy();
  }

  async status(): Promise<number> {
    await until(() => this.answer.includes("\r\n\r\n"));
    return Number(this.answer.slice("HTTP/1.1 ".length, 12));
  }
}

const put = (header: string, path = "/v1/kv/a/k") => `PUT ${path} HTTP/1.1\r\nHost: kv\r\n${header}`;
const announced = (bytes: number) => put(`Content-Length: ${bytes}`);
const CHUNKED = put("Transfer-Encoding: chunked");
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const END = "0\r\n\r\n";

describe("what is being received", () => {
  test("is counted by its announced length, before it is there, until the store has it", async () => {
    const client = new Client(announced(5), "valu");
    await until(() => held === 5);
    client.send("e");
    expect(await client.status()).toBe(204);
    expect([held, atStore, store.entry("a/k")?.value.toString()]).toEqual([0, [0], "value"]);
  });

  test("is counted without an announced length as it comes", async () => {
    const client = new Client(CHUNKED, chunk("1234"));
    await until(() => held === 4);
    client.send(chunk("5678"));
    await until(() => held >= 8);
    client.send(chunk("9"));
    await sleep(20);
    expect(held).toBeWithin(9, 17);
    client.send(END);
    expect(await client.status()).toBe(204);
    expect([held, atStore, store.entry("a/k")?.value.toString()]).toEqual([0, [0], "123456789"]);
  });

  test("is turned away where there is no room for it, and takes none then", async () => {
    const clients = [announced(MAX_BYTES), announced(MAX_BYTES)].map((head) => new Client(head, "half"));
    await until(() => held === 2 * MAX_BYTES);
    expect(await new Client(announced(11), "12345678901").status()).toBe(503);
    expect(await new Client(CHUNKED, chunk("12345678901") + END).status()).toBe(503);
    expect(await new Client(announced(10), "1234567890").status()).toBe(204);
    expect(await new Client(CHUNKED, chunk("1234567890") + END).status()).toBe(204);
    expect(most).toBe(ROOM_BYTES);
    for (const client of clients) client.leave();
    await until(() => held === 0);
  });

  test.each([
    ["announced", announced(MAX_BYTES), MAX_BYTES],
    ["chunked", CHUNKED, 4],
  ])("is given back when its client goes or is too slow (%s)", async (_, head, bytes) => {
    const [gone, slow] = [new Client(head, chunk("half")), new Client(head, chunk("half"))];
    await until(() => held === 2 * bytes);
    gone.leave();
    await until(() => held === bytes);
    expect(await slow.status()).toBe(408);
    expect([held, atStore]).toEqual([0, []]);
  });

  test("of a size that may not be is not counted", async () => {
    expect(await new Client(announced(MAX_BYTES + 1)).status()).toBe(413);
    expect(most).toBe(0);
    const tooMuch = new Client(CHUNKED, chunk("a".repeat(60_000)));
    tooMuch.send(chunk("a".repeat(60_000)) + END);
    expect(await tooMuch.status()).toBe(413);
    expect(most).toBeWithin(1, MAX_BYTES + 1);
    expect([held, atStore]).toEqual([0, []]);
  });

  test("is not begun for a request that is refused", async () => {
    expect(await new Client(put("Content-Length: 5\r\nIf-Match: x")).status()).toBe(400);
    expect(await new Client(put("Transfer-Encoding: chunked", "/v1/kv/a/%zz")).status()).toBe(400);
    expect(most).toBe(0);
  });

  test("may be a TTL", async () => {
    expect(await new Client(announced(1), "v").status()).toBe(204);
    expect(await new Client(put("Content-Length: 10", "/v1/kv/a/k/ttl"), '{"ttl":60}').status()).toBe(200);
    expect([most, atStore]).toEqual([10, [0, 0]]);
  });
});

test("a chunked body of any pieces comes together, and none is kept for its own sake", async () => {
  const pieces = ["", "a".repeat(40_000), ..."byte by byte", "b".repeat(59_988)].filter(Boolean);
  const client = new Client(CHUNKED);
  for (const piece of pieces) client.send(chunk(piece));
  client.send(END);
  expect(await client.status()).toBe(204);
  expect(store.entry("a/k")?.value.toString()).toBe(pieces.join(""));
  expect(most).toBeLessThanOrEqual(MAX_BYTES);
});

test.each([
  ["no body at all", put("X: y"), ""],
  ["an announced one", announced(0), ""],
  ["a chunked one", CHUNKED, END],
])("an empty body is one (%s)", async (_, head, body) => {
  expect(await new Client(head, body).status()).toBe(204);
  expect([most, store.entry("a/k")?.value.toString()]).toEqual([0, ""]);
});
