// What comes to the door as bytes: targets, hosts and headers that a runtime repairs before the app sees them. Over
// sockets, to Bun's own server and the model store.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import pino from "pino";
import { createApp } from "../app.ts";
import { ModelStore } from "../store/model.ts";
import { keyOf } from "./path.ts";
import { ROUTES, type SentParts } from "./target.ts";

let store = new ModelStore();
const late = new Proxy({} as ModelStore, {
  get: (_, name: keyof ModelStore) => (store[name] as () => void).bind(store),
});
beforeEach(() => {
  store = new ModelStore();
});

function serve(more: object = {}) {
  const app = createApp(late, {
    ...{ maxValueBytes: 1024, bodyTimeoutMs: 1_000, log: pino({ level: "silent" }) },
    ...{ isDraining: () => false, isFull: () => false },
    partsOf: (request) => (request as unknown as { params?: SentParts }).params,
    ...more,
  });
  const handle = (request: Request) => app.fetch(request);
  const routes = Object.fromEntries(ROUTES.map((path) => [path, handle]));
  return Bun.serve({ hostname: "127.0.0.1", port: 0, routes, fetch: handle });
}
const open = serve();
const onLoopback = serve({ onlyLoopback: true });
const crossOrigin = serve({ corsOrigins: ["https://app.example"] });
afterAll(() => Promise.all([open, onLoopback, crossOrigin, blind].map((server) => server.stop(true))));

/** As on Workers: nothing is known of the bytes beside the URL that was made of them. */
const blind = serve({ partsOf: undefined });

/** Sends bytes, each a character, and returns the status and the code of the answer. */
async function send(request: string, server = open): Promise<[status: number, code: string | undefined]> {
  const answer = await raw(request, server);
  return [Number(answer.slice(9, 12)), /"code":"(\w+)"/.exec(answer)?.[1]];
}

function raw(request: string, server = open): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(server.port), "127.0.0.1", () => socket.write(Buffer.from(request, "latin1")));
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString("latin1");
    });
    socket.on("close", () => resolve(answer));
  });
}

const CLOSE = "Connection: close\r\n";
const put = (target: string, headers = "Host: kv\r\n") =>
  `PUT ${target} HTTP/1.1\r\n${headers}${CLOSE}Content-Length: 1\r\n\r\nv`;

describe("a target", () => {
  test.each([
    ["/v1/kv/demo/caf\xe9", "ambiguous_path"],
    ["/v1/kv/demo/caf\xe8", "ambiguous_path"],
    ["/v1/kv/demo/\xff\xfe", "ambiguous_path"],
    ["/v1/kv/demo/%41\xe9", "ambiguous_path"],
    ["/v1/kv/demo/a\\ttl", "ambiguous_path"],
    ["/v1/kv/demo/a\\b", "ambiguous_path"],
    ["/v1/kv/demo/x\\..\\..\\other\\k", "ambiguous_path"],
    ["/v1/kv/demo/x\\..\\y", "ambiguous_path"],
    ["/v1/kv/demo/a/../b", "ambiguous_path"],
    ["/v1/kv/demo/./b", "ambiguous_path"],
    ["/x/../v1/kv/demo/b", "ambiguous_path"],
    ["/v1/kv/demo/%2e%2e/b/c", "ambiguous_path"],
    ["/v1/kv/demo/caf%EF%BF%BD", "ambiguous_path"],
    ["/v1/kv/demo/..", "invalid_key"],
    ["/v1/kv/demo/%2E", "invalid_key"],
    ["/v1/kv/demo/a#b", "invalid_key"],
    ["/v1/kv/demo/%zz", "invalid_key"],
  ])("%j is refused, and nothing is written", async (target, code) => {
    expect(await send(put(target))).toEqual([400, code]);
    expect(store.calls).toEqual([]);
  });

  test.each([
    ["/v1/kv/demo/caf\xc3\xa9", "demo/caf\xc3\xa9"],
    ["/v1/kv/demo/caf%C3%a9", "demo/caf\xc3\xa9"],
    ["/v1/kv/demo/caf%E9", "demo/caf\xe9"],
    ["/v1/kv/demo/%ef%bf%bd", "demo/\xef\xbf\xbd"],
    ["/v1/kv/demo/a%5Cttl", "demo/a\\ttl"],
    ["/v1/kv/demo/a%2F..%2Fb", "demo/a/../b"],
    ["/v1/kv/demo/..%2Fb", "demo/../b"],
    ['/v1/kv/demo/"<>`{}|^', 'demo/"<>`{}|^'],
    ["/v1/kv/%64emo/%00%FF%ED%A0%80", "demo/\x00\xff\xed\xa0\x80"],
    ["/v1/kv/demo/ttl", "demo/ttl"],
    ["/v1/kv/demo/a+b;c=d,e", "demo/a+b;c=d,e"],
    ["http://elsewhere/v1/kv/demo/k", "demo/k"],
  ])("%j is the key whose bytes were sent", async (target, name) => {
    expect(await send(put(target))).toEqual([204, undefined]);
    expect(store.entry(name)?.value.toString()).toBe("v");
  });

  test("bytes that are no UTF-8 are told where only their URL is known", async () => {
    for (const key of ["caf\xe9", "\xff\xfe", "%41\xe9", "caf%EF%BF%BD"]) {
      expect(await send(put(`/v1/kv/demo/${key}`), blind)).toEqual([400, "ambiguous_path"]);
    }
    expect(store.calls).toEqual([]);
    for (const key of ["%ef%bf%bd", "caf%E9", "caf\xc3\xa9", "a%5Cb"]) {
      expect(await send(put(`/v1/kv/demo/${key}`), blind)).toEqual([204, undefined]);
    }
    expect(store.entry("demo/\xef\xbf\xbd")).not.toBe(null);
  });

  test("a URL that still holds a dot segment names no key", () => {
    for (const key of [".", "..", "%2e", "%2E%2e", ".%2e"]) {
      expect(() => keyOf({ url: `http://kv/v1/kv/demo/${key}` })).toThrow("can't be addressed");
    }
    expect(keyOf({ url: "http://kv/v1/kv/demo/..." }).toString()).toBe("demo/...");
  });

  test("every other byte of a key is that byte, escaped or not", async () => {
    for (let byte = 0; byte < 256; byte++) {
      const hex = byte.toString(16).padStart(2, "0");
      expect(await send(put(`/v1/kv/bytes/x%${hex}`))).toEqual([204, undefined]);
      expect(store.entry(`bytes/x${String.fromCharCode(byte)}`)).not.toBe(null);
    }
  });

  test("without a host it is still the whole path", async () => {
    expect(await send(`PUT /x/v1/kv/demo/k HTTP/1.0\r\n${CLOSE}Content-Length: 1\r\n\r\nv`)).toEqual([
      404,
      "no_such_route",
    ]);
    expect(await send(`PUT /v1/kv/demo/k HTTP/1.0\r\n${CLOSE}Content-Length: 1\r\n\r\nv`)).toEqual([204, undefined]);
    expect(store.entry("demo/k")).not.toBe(null);
    expect(await send(`GET /healthz HTTP/1.0\r\n${CLOSE}\r\n`)).toEqual([200, undefined]);
    expect(await send(`GET /readyz HTTP/1.0\r\n\r\n`)).toEqual([200, undefined]);
  });
});

describe("a host", () => {
  test.each(["h:99999", "[", "a b", "a/b", "h:x", "user@h", "h,", "[::1", "a\r\nHost: b", "a\r\nHost: a"])(
    "%j is refused",
    async (host) => {
      expect((await send(put("/v1/kv/demo/k?ttl=60", `Host: ${host}\r\n`)))[0]).toBe(400);
      expect(store.calls).toEqual([]);
    },
  );

  test.each(["", "kv", "kv:8787", "kv.example.", "127.0.0.1:1", "[::1]:8787", "KV.Example", "h:"])(
    "%j is taken",
    async (host) => {
      expect(await send(put("/v1/kv/demo/k?ttl=60", `Host: ${host}\r\n`))).toEqual([204, undefined]);
    },
  );

  test.each(["evil.example", "evil.example:8787", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0"])(
    "%j is refused where a server lets everyone in who is on this machine",
    async (host) => {
      expect(await send(put("/v1/kv/demo/k", `Host: ${host}\r\n`), onLoopback)).toEqual([400, "foreign_host"]);
      expect(store.calls).toEqual([]);
    },
  );

  test.each(["localhost", "LOCALHOST:8787", "127.0.0.1", "127.1.2.3:80", "[::1]:8787", "kv.localhost", ""])(
    "%j is taken there",
    async (host) => {
      expect((await send(put("/v1/kv/demo/k", `Host: ${host}\r\n`), onLoopback))[0]).toBe(204);
    },
  );
});

describe("a page of another origin", () => {
  const call = (target: string, headers: string) =>
    `${target} HTTP/1.1\r\nHost: localhost\r\n${CLOSE}Content-Length: 0\r\n${headers}\r\n`;
  const writes = ["POST /v1/kv/demo/n/increment", "POST /v1/kv/demo", "GET /redis/demo/set/k/v", "POST /redis/demo"];

  test.each(writes)("can't make %s without a token, where nobody needs one", async (target) => {
    for (const site of ["cross-site", "same-site"]) {
      const refused = call(target, `Sec-Fetch-Site: ${site}\r\n`);
      expect(await raw(refused)).toStartWith("HTTP/1.1 403 ");
      expect(await raw(call(target, `Sec-Fetch-Site: ${site}\r\nOrigin: https://evil.example\r\n`))).toStartWith(
        "HTTP/1.1 403 ",
      );
      // Another origin's script may call what it is named for, but not as an image or a form of its page.
      expect(await raw(refused, crossOrigin)).toStartWith("HTTP/1.1 403 ");
    }
    expect(store.calls).toEqual([]);
  });

  test.each(writes)("makes %s where its origin is named, and one's own page, and no page", async (target) => {
    const named = call(target, "Sec-Fetch-Site: cross-site\r\nOrigin: https://app.example\r\n");
    expect(await raw(named, crossOrigin)).not.toStartWith("HTTP/1.1 403 ");
    for (const site of ["", "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n"]) {
      expect(await raw(call(target, site))).not.toStartWith("HTTP/1.1 403 ");
    }
  });

  test("may read, of which it learns nothing", async () => {
    expect(await send(call("GET /v1/kv/demo/k", "Sec-Fetch-Site: cross-site\r\n"))).toEqual([404, "not_found"]);
  });
});

describe("headers and bodies", () => {
  test.each([
    ["Content-Type: a/b\r\nContent-Type: c/d\r\n", "invalid_content_type"],
    ["Content-Type: a/b, c/d\r\n", "invalid_content_type"],
    ["KV-Metadata: {\r\nKV-Metadata: }\r\n", "invalid_metadata"],
    ["If-None-Match: garbage\r\n", "invalid_precondition"],
    ["If-Match: *\r\nIf-Match: *\r\n", "invalid_precondition"],
  ])("%j is refused", async (headers, code) => {
    expect(await send(put("/v1/kv/demo/k", `Host: kv\r\n${headers}`))).toEqual([400, code]);
    expect(store.calls).toEqual([]);
  });

  test("a comma within quotes is one media type's own", async () => {
    const headers = 'Host: kv\r\nContent-Type: multipart/mixed; boundary="a,b"\r\n';
    expect((await send(put("/v1/kv/demo/k", headers)))[0]).toBe(204);
  });

  test("a precondition that is none is refused before the store is asked, whether or not the key is there", async () => {
    const get = `GET /v1/kv/demo/k HTTP/1.1\r\nHost: kv\r\n${CLOSE}If-None-Match: garbage\r\n\r\n`;
    expect(await send(get)).toEqual([400, "invalid_precondition"]);
    expect(store.calls).toEqual([]);
  });

  test.each(["/healthz", "/v1/kv/demo/absent", "/v1/kv/demo/absent/ttl", "/nowhere"])(
    "HEAD of %s announces what GET sends",
    async (path) => {
      const of = async (method: string) => {
        const answer = await raw(`${method} ${path} HTTP/1.1\r\nHost: kv\r\n${CLOSE}X-Request-Id: same\r\n\r\n`);
        return /content-length: (\d+)/i.exec(answer)?.[1];
      };
      expect(Number(await of("GET"))).toBeGreaterThan(0);
      expect(await of("HEAD")).toBe(await of("GET"));
    },
  );

  test.each(['{"ttl":60,"ttl":1}', '{"ttl":60,"\\u0074tl":1}', '{"ttl":60}\xff'])(
    "the TTL %j is refused",
    async (body) => {
      const request = `PUT /v1/kv/demo/k/ttl HTTP/1.1\r\nHost: kv\r\n${CLOSE}Content-Length: ${body.length}\r\n\r\n${body}`;
      expect(await send(request)).toEqual([400, "invalid_json"]);
      expect(store.calls).toEqual([]);
    },
  );
});

describe("pages of other origins", () => {
  const preflight = (origin: string, server = crossOrigin) =>
    fetch(`http://127.0.0.1:${server.port}/v1/kv/demo/k`, {
      method: "OPTIONS",
      headers: {
        Origin: origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,if-match",
      },
    });

  test("a preflight needs no token, and allows what calls need", async () => {
    const { status, headers } = await preflight("https://app.example");
    expect([status, headers.get("Access-Control-Allow-Origin")]).toEqual([204, "https://app.example"]);
    expect(headers.get("Access-Control-Allow-Methods")).toContain("PUT");
    for (const name of ["If-Match", "If-None-Match", "Authorization", "KV-Metadata"]) {
      expect(headers.get("Access-Control-Allow-Headers")).toContain(name);
    }
  });

  test("an origin that was not named is allowed nothing", async () => {
    expect((await preflight("https://evil.example")).headers.get("Access-Control-Allow-Origin")).toBe(null);
    expect((await preflight("https://app.example", open)).headers.get("Access-Control-Allow-Origin")).toBe(null);
  });

  test.each(["/v1/kv/demo/absent", "/v1/kv/demo/%zz", "/nowhere", "/healthz"])(
    "a script may read the answer and its headers: %s",
    async (path) => {
      const answer = await fetch(`http://127.0.0.1:${crossOrigin.port}${path}`, {
        headers: { Origin: "https://app.example" },
      });
      expect(answer.headers.get("Access-Control-Allow-Origin")).toBe("https://app.example");
      expect(answer.headers.get("Access-Control-Expose-Headers")).toContain("ETag");
      expect(answer.headers.get("X-Request-Id")).toBeTruthy();
    },
  );
});
