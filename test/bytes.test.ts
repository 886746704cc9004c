// Keys and values are bytes: any of them, up to the limits, with one meaning for each spelling of a URL.

import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { call, exceptOnWorker, freshKeyUrl, SERVERS, targets } from "./targets.ts";

const VALUE_LIMIT = 1024 * 1024;
const encoded = (bytes: Uint8Array) => [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

describe.each(SERVERS)("bytes on %s", (server) => {
  const base = targets[server].url;
  const ns = `bytes${Date.now()}`;
  const code = async (answer: Response) => ((await answer.json()) as { code: string }).code;

  test("every byte is a key of its own and a value of its own", async () => {
    const bytes = Array.from({ length: 256 }, (_, i) => Uint8Array.of(i));
    const urls = bytes.map((byte) => `${base}/v1/kv/${ns}/${encoded(byte)}`);
    // The keys `.` and `..` have no URL: parsers remove such segments, escaped or not.
    const usable = urls.filter((_, i) => i !== ".".charCodeAt(0));
    const puts = await Promise.all(usable.map((url, i) => call(url, { method: "PUT", body: `value ${i}` })));
    expect(puts.map((answer) => answer.status)).toEqual(usable.map(() => 204));
    const texts = await Promise.all(usable.map(async (url) => (await call(url)).text()));
    expect(texts).toEqual(usable.map((_, i) => `value ${i}`));

    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    const url = `${base}/v1/kv/${ns}/${encoded(all)}`;
    await call(url, { method: "PUT", body: all });
    expect(new Uint8Array(await (await call(url)).arrayBuffer())).toEqual(all);
  });

  test("an escape and the character it stands for are one key", async () => {
    await call(`${base}/v1/kv/${ns}/same%41%2bkey`, { method: "PUT", body: "one" });
    for (const spelling of ["sameA+key", "%73ame%41%2Bkey", "sameA%2bkey"]) {
      expect(await (await call(`${base}/v1/kv/${ns}/${spelling}`)).text()).toBe("one");
    }
    expect((await call(`${base}/v1/kv/${ns}/sameA%20key`)).status).toBe(404);
    expect((await call(`${base}/v1/kv/${ns}/samea+key`)).status).toBe(404);
  });

  test("a slash in a key, and the words of the API", async () => {
    const keys = [
      "a%2Fb",
      "a%2Fttl",
      "ttl",
      "%2F",
      "%2E%2E%2F",
      "a%3Fb%23c",
      "%25%32%46",
      "'; DROP TABLE entries; --%00\\",
    ];
    for (const key of keys) {
      expect(
        (
          await call(`${base}/v1/kv/${ns}/${key.replaceAll(" ", "%20").replace("\\", "%5C")}`, {
            method: "PUT",
            body: key,
          })
        ).status,
      ).toBe(204);
    }
    for (const key of keys) {
      const answer = await call(`${base}/v1/kv/${ns}/${key.replaceAll(" ", "%20").replace("\\", "%5C")}`);
      expect(await answer.text()).toBe(key);
    }
  });

  test("the same key in two namespaces is two keys", async () => {
    await call(`${base}/v1/kv/${ns}-a/x`, { method: "PUT", body: "a" });
    await call(`${base}/v1/kv/${ns}-b/x`, { method: "PUT", body: "b" });
    expect(await (await call(`${base}/v1/kv/${ns}-a/x`)).text()).toBe("a");
    expect(await (await call(`${base}/v1/kv/${ns}-b/x`)).text()).toBe("b");
  });

  test.each([
    ["1 byte", "k", 204],
    ["512 bytes", "k".repeat(512), 204],
    ["512 escaped bytes", "%00".repeat(512), 204],
    ["513 bytes", "k".repeat(513), 400],
    ["513 escaped bytes", "%ff".repeat(513), 400],
    ["0 bytes", "", 400],
    ["a malformed escape", "%zz", 400],
    ["half an escape", "a%4", 400],
    ["a percent sign", "100%", 400],
  ])("a key of %s", async (_, key, status) => {
    const url = `${base}/v1/kv/${ns}/${key}`;
    const answer = await call(url, { method: "PUT", body: "v" });
    expect(answer.status).toBe(status);
    if (status === 400) expect(await code(answer)).toBe("invalid_key");
    else expect((await call(url)).status).toBe(200);
  });

  test("a key of 0 bytes has no TTL either", async () => {
    const answer = await call(`${base}/v1/kv/${ns}//ttl`);
    expect([answer.status, await code(answer)]).toEqual([400, "invalid_key"]);
  });

  test.each(["a b", "a.b", "%00", "ä", "x".repeat(65), "%zz"])("the namespace %p is refused", async (namespace) => {
    const answer = await call(`${base}/v1/kv/${namespace}/k`, { method: "PUT", body: "v" });
    expect([answer.status, await code(answer)]).toEqual([400, "invalid_namespace"]);
  });

  test("a namespace of 64 characters with a key of 512", async () => {
    const url = `${base}/v1/kv/${"n".repeat(64)}/${"%27".repeat(512)}`;
    expect((await call(url, { method: "PUT", body: "v" })).status).toBe(204);
    expect((await call(url)).status).toBe(200);
    expect((await call(url, { method: "DELETE" })).status).toBe(204);
  });

  exceptOnWorker(server)("'#' that reaches the server unescaped is refused, not cut off", async () => {
    const reply = await sendRaw(
      base,
      `PUT /v1/kv/${ns}/cut-off#b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\nv`,
    );
    expect(reply).toStartWith("HTTP/1.1 400");
    expect((await call(`${base}/v1/kv/${ns}/cut-off`)).status).toBe(404);
  });

  test("values up to the limit, and one byte more", async () => {
    const url = freshKeyUrl(base);
    const largest = crypto.getRandomValues(new Uint8Array(65_536));
    const value = new Uint8Array(VALUE_LIMIT).map((_, i) => largest[i % largest.length] as number);
    expect((await call(url, { method: "PUT", body: value })).status).toBe(204);
    const answer = await call(url);
    expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(value))).toBe(true);
    const tooLarge = await call(url, { method: "PUT", body: new Uint8Array(VALUE_LIMIT + 1) });
    expect([tooLarge.status, await code(tooLarge)]).toEqual([413, "value_too_large"]);
    expect((await call(url, { method: "HEAD" })).headers.get("Content-Length")).toBe(String(VALUE_LIMIT));
  });

  const chunks = (count: number) =>
    new ReadableStream({
      start(controller) {
        for (let i = 0; i < count; i++) controller.enqueue(new Uint8Array(65_536).fill(i));
        controller.close();
      },
    });

  test("a body of unannounced length", async () => {
    const url = freshKeyUrl(base);
    expect((await call(url, { method: "PUT", body: chunks(16) })).status).toBe(204);
    expect((await (await call(url)).arrayBuffer()).byteLength).toBe(16 * 65_536);
  });

  exceptOnWorker(server)("a body of unannounced length meets the same limit", async () => {
    expect((await call(freshKeyUrl(base), { method: "PUT", body: chunks(17) })).status).toBe(413);
  });

  exceptOnWorker(server)("a huge announced length is refused at once", async () => {
    const reply = await sendRaw(
      base,
      `PUT /v1/kv/${ns}/huge HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\nv`,
    );
    expect(reply).toStartWith("HTTP/1.1 413");
    expect(reply).toContain("value_too_large");
  });

  const cutOff = async (key: string, rest: string) => {
    await sendRaw(base, `PUT /v1/kv/${ns}/${key} HTTP/1.1\r\nHost: localhost\r\n${rest}`, { end: true });
    return (await call(`${base}/v1/kv/${ns}/${key}`)).status;
  };

  test("a body of announced length that ends early stores nothing", async () => {
    expect(await cutOff("cut-announced", "Content-Length: 100\r\n\r\nhalf")).toBe(404);
  });

  exceptOnWorker(server)("a chunked body that ends early stores nothing", async () => {
    expect(await cutOff("cut-chunked", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")).toBe(404);
  });
});

/** Sends bytes that no HTTP client would, and returns what comes back until the server closes or says no more. */
function sendRaw(base: string, text: string, { end = false } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const socket = connect(Number(port), hostname, () => (end ? socket.end(text) : socket.write(text)));
    let reply = "";
    socket.setTimeout(1500, () => socket.destroy());
    socket.on("data", (chunk) => {
      reply += chunk;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(reply));
  });
}
