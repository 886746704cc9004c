// Tokens: who is let in and who is not, on every runtime; that nobody else reaches the database; how tokens change while a
// server serves; and that nothing it prints tells of them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { createApp } from "../src/app.ts";
import { newToken, Tokens } from "../src/auth/tokens.ts";
import { directStore } from "../src/batching/direct.ts";
import { connect } from "../src/database/connect.ts";
import { Table } from "../src/database/table.ts";
import { launchServer, type RunningServer, startServer, WORKER } from "../vitess/run/server-process.ts";
import { call, freshKeyUrl, targets, until } from "./targets.ts";

const DATABASE_URL = targets.vitess.databaseUrl;

const reader = newToken(["read"], "auth-a");
const writer = newToken(["write"], "auth-a");
const both = newToken(["read", "write"], "auth-a,auth-b");
const all = newToken(["read", "write"], "*");
/** Which no server knows. */
const stranger = newToken(["read", "write"], "*");
const KV_TOKENS = [reader, writer, both, all].map(({ entry }) => entry).join(" ");

const bearer = ({ token }: { token: string }) => ({ Authorization: `Bearer ${token}` });
const codeOf = async (answer: Response) => ((await answer.json()) as { code?: string }).code;

describe.each([
  ["Bun", undefined],
  ["Workers", WORKER],
])("on %s", (runtime, program) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ DATABASE_URL, KV_TOKENS, LOG_LEVEL: "debug" }, program);
  });
  afterAll(() => server.stop());

  const calls = [
    "GET /v1/kv/auth-a/k",
    "HEAD /v1/kv/auth-a/k",
    "PUT /v1/kv/auth-a/k",
    "DELETE /v1/kv/auth-a/k",
    "PUT /v1/kv/auth-a/k/ttl",
    "DELETE /v1/kv/auth-a/k/ttl",
    "POST /v1/kv/auth-a",
    "GET /v1/kv/auth-a/k/beyond",
    "GET /v1/kv/no%20namespace/k",
    "GET /metrics",
    "GET /nowhere",
    "GET /",
  ];
  const send = (line: string, headers: Record<string, string>) => {
    const [method = "", path = ""] = line.split(" ");
    return call(server.url + path, { method, headers, ...(method === "PUT" && { body: "v" }) });
  };

  test.each(calls)("%s needs a token", async (line) => {
    const answer = await send(line, {});
    expect([answer.status, answer.headers.get("WWW-Authenticate")]).toEqual([401, 'Bearer realm="vitess-kv"']);
    expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
    expect(answer.headers.get("X-Request-Id")).toBeTruthy();
    if (!line.startsWith("HEAD")) expect(await codeOf(answer)).toBe("unauthorized");
  });

  test.each(calls)("%s needs one that is valid", async (line) => {
    const answer = await send(line, bearer(stranger));
    expect(answer.status).toBe(401);
    expect(answer.headers.get("WWW-Authenticate")).toContain('error="invalid_token"');
  });

  test.each([
    [reader, [404, 403]],
    [writer, [403, 200]],
    [both, [404, 200]],
  ] as const)("%# of a batch it may what its token may", async (who, statuses) => {
    const operations = [
      { op: "get", key: "absent" },
      { op: "increment", key: "batched" },
    ];
    const init = { method: "POST", headers: bearer(who), body: JSON.stringify({ operations }) };
    const { results } = (await (await call(`${server.url}/v1/kv/auth-a`, init)).json()) as {
      results: { status: number }[];
    };
    expect(results.map(({ status }) => status)).toEqual([...statuses]);
  });

  test.each([
    ["another scheme", `Basic ${btoa(`kv:${all.token}`)}`],
    ["no scheme", all.token],
    ["no token", "Bearer "],
    ["two tokens", `Bearer ${all.token} ${all.token}`],
    ["a token and a part of one", `Bearer ${all.token}, Bearer`],
    ["the hash in the token's place", `Bearer ${all.entry.split(":")[2]}`],
    ["the whole entry", `Bearer ${all.entry}`],
    ["a part of a token", `Bearer ${all.token.slice(0, -1)}`],
    ["the token of nobody", "Bearer undefined"],
    ["a token of many bytes", `Bearer ${"a".repeat(8_000)}`],
  ])("%s is no valid token", async (_, Authorization) => {
    const answer = await send("GET /v1/kv/auth-a/k", { Authorization });
    expect([answer.status, await codeOf(answer)]).toEqual([401, "unauthorized"]);
  });

  test.each([
    ["Bearer", all.token],
    ["bearer", all.token],
    ["BEARER", all.token],
  ])("the scheme may be written %s", async (scheme, token) => {
    expect((await send("GET /v1/kv/auth-a/absent", { Authorization: `${scheme} ${token}` })).status).toBe(404);
  });

  test("a token elsewhere than in the header counts for nothing", async () => {
    expect((await call(`${server.url}/v1/kv/auth-a/k?access_token=${all.token}`)).status).toBe(401);
    expect((await call(`${server.url}/v1/kv/auth-a/k`, { headers: { Cookie: `token=${all.token}` } })).status).toBe(
      401,
    );
  });

  test.each([
    [reader, "GET /v1/kv/auth-a/absent", 404, "not_found"],
    [reader, "GET /v1/kv/auth-a/absent/ttl", 404, "not_found"],
    [reader, "PUT /v1/kv/auth-a/k", 403, "forbidden"],
    [reader, "DELETE /v1/kv/auth-a/k", 403, "forbidden"],
    [reader, "PUT /v1/kv/auth-a/k/ttl", 403, "forbidden"],
    [reader, "DELETE /v1/kv/auth-a/k/ttl", 403, "forbidden"],
    [reader, "GET /v1/kv/auth-a?prefix=none", 200, undefined],
    [writer, "GET /v1/kv/auth-a", 403, "forbidden"],
    [both, "GET /v1/kv/auth-c", 403, "forbidden"],
    [reader, "DELETE /v1/kv/auth-a?prefix=none", 403, "forbidden"],
    [writer, "DELETE /v1/kv/auth-a?prefix=none", 200, undefined],
    [reader, "POST /v1/kv/auth-a/n/increment", 403, "forbidden"],
    [writer, "POST /v1/kv/auth-a/n/increment", 200, undefined],
    [both, "POST /v1/kv/auth-c", 403, "forbidden"],
    [writer, "GET /v1/kv/auth-a/k", 403, "forbidden"],
    [writer, "GET /v1/kv/auth-a/k/ttl", 403, "forbidden"],
    [writer, "DELETE /v1/kv/auth-a/absent", 204, undefined],
    [both, "GET /v1/kv/auth-b/absent", 404, "not_found"],
    [both, "POST /v1/kv/auth-b", 400, "invalid_json"],
    [both, "GET /v1/kv/auth-c/k", 403, "forbidden"],
    [both, "GET /v1/kv/auth-aa/k", 403, "forbidden"],
    [both, "GET /v1/kv/Auth-a/k", 403, "forbidden"],
    [both, "GET /v1/kv/auth%2Da/absent", 404, "not_found"],
    [both, "GET /v1/kv/auth-%63/k", 403, "forbidden"],
    [both, "GET /v1/kv/auth-a%2F../k", 400, "invalid_namespace"],
    [both, "GET /v1/kv/*/k", 400, "invalid_namespace"],
    [both, "GET /metrics", 403, "forbidden"],
    [both, "GET /nowhere", 403, "forbidden"],
    [all, "GET /v1/kv/auth-z/absent", 404, "not_found"],
    [all, "GET /nowhere", 404, "no_such_route"],
  ] as const)("%# %s", async (who, line, status, code) => {
    const answer = await send(line, bearer(who));
    expect([answer.status, status === 204 ? undefined : await codeOf(answer)]).toEqual([status, code]);
    if (status === 403) {
      expect(answer.headers.get("WWW-Authenticate")).toBe('Bearer realm="vitess-kv", error="insufficient_scope"');
    }
  });

  test("what is refused changes nothing", async () => {
    const url = freshKeyUrl(server.url, "auth-a");
    const put = (headers: Record<string, string>, body: string) => call(url, { method: "PUT", headers, body });
    expect((await put(bearer(writer), "v")).status).toBe(204);
    for (const headers of [{}, bearer(stranger), bearer(reader)]) {
      await put(headers, "w");
      await call(url, { method: "DELETE", headers });
      await call(`${url}/ttl`, { method: "PUT", headers, body: '{"ttl":1}' });
    }
    const answer = await call(url, { headers: bearer(reader) });
    expect([answer.status, await answer.text(), answer.headers.get("KV-Expires-At")]).toEqual([200, "v", null]);
  });

  test("liveness needs none; readiness does where each asks the database for itself", async () => {
    for (const path of ["/healthz", "/openapi.json", "/docs", "/docs/page.js", "/docs/page.css"]) {
      expect([path, (await call(server.url + path)).status]).toEqual([path, 200]);
    }
    expect((await call(`${server.url}/readyz`)).status).toBe(runtime === "Bun" ? 200 : 401);
    expect((await call(`${server.url}/readyz`, { headers: bearer(all) })).status).toBe(200);
  });

  test.if(runtime === "Bun")("metrics are for a token for all namespaces that may read", async () => {
    const answer = await call(`${server.url}/metrics`, { headers: bearer(all) });
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("kv_sweep")]);
  });

  test("it prints neither tokens nor hashes", async () => {
    expect(server.output()).toContain('"status":401');
    expectNoSecrets(server.output());
  });
});

function expectNoSecrets(output: string, others: { token: string; entry: string }[] = []) {
  for (const { token, entry } of [reader, writer, both, all, stranger, ...others]) {
    expect(output).not.toContain(token);
    expect(output).not.toContain(token.slice(4, 20));
    expect(output).not.toContain((entry.split(":")[2] as string).slice(0, 16));
  }
}

describe("without a valid token", () => {
  const database = connect({ url: DATABASE_URL, backend: "vitess", connections: 4, queueLimit: 1000 });
  let statements = 0;
  const store = directStore(
    new Table({
      execute: (statement, timeoutMs) => {
        statements += 1;
        return database.execute(statement, timeoutMs);
      },
      close: () => database.close(),
    }),
    10_000,
  );
  const tokens = new Tokens([{ name: "here", text: KV_TOKENS }]);
  const app = createApp(store, {
    maxValueBytes: 1024,
    bodyTimeoutMs: 10_000,
    tokens: () => tokens,
    log: pino({ level: "silent" }),
    isDraining: () => false,
    isFull: () => false,
  });
  afterAll(() => database.close());

  test("nothing is asked of the database, and no body is read", async () => {
    const url = "http://kv/v1/kv/auth-a/k";
    for (const headers of [{}, bearer(stranger)]) {
      for (const method of ["GET", "HEAD", "DELETE", "POST"]) {
        for (const suffix of ["", "/ttl"]) {
          expect((await app.fetch(new Request(url + suffix, { method, headers }))).status).toBe(401);
        }
      }
      for (const suffix of ["", "/ttl"]) {
        let read = false;
        const pull = (stream: ReadableStreamDefaultController) => {
          read = true;
          stream.close();
        };
        const body = new ReadableStream({ pull }, { highWaterMark: 0 });
        expect((await app.fetch(new Request(url + suffix, { method: "PUT", headers, body }))).status).toBe(401);
        expect(read).toBe(false);
      }
    }
    expect(statements).toBe(0);
    expect((await app.fetch(new Request(url, { headers: bearer(reader) }))).status).toBe(404);
    expect(statements).toBeGreaterThan(0);
  });

  test("however many ask at once whether it is ready, the database is asked once", async () => {
    const before = statements;
    const ask = async () => (await app.fetch(new Request("http://kv/readyz"))).status;
    expect(await Promise.all(Array.from({ length: 500 }, ask))).toEqual(Array(500).fill(200));
    expect(statements - before).toBe(1);
    // Not for ever.
    await until(async () => (await ask()) === 200 && statements - before >= 2, "it is asked again");
  });
});

describe("tokens in a file", () => {
  const dir = mkdtempSync(join(tmpdir(), "vitess-kv-tokens-"));
  const file = join(dir, "tokens");
  afterAll(() => rmSync(dir, { recursive: true }));
  const [first, second] = [newToken(["read", "write"], "rotated"), newToken(["read", "write"], "rotated")];
  const write = (...lines: string[]) => writeFileSync(file, lines.map((line) => `${line}\n`).join(""));
  /** A new connection for each call, so that it may be any worker that answers. */
  const statuses = async (url: string, who: typeof first) => {
    const headers = { ...bearer(who), Connection: "close" };
    const answers = await Promise.all(Array.from({ length: 30 }, () => call(url, { headers })));
    return [...new Set(answers.map(({ status }) => status))];
  };

  test("take effect without a restart, in every worker, and overlap for as long as one likes", async () => {
    write("# of the shop", `${first.entry} # since spring`);
    const server = await startServer({
      DATABASE_URL,
      KV_WORKERS: "3",
      KV_TOKENS: reader.entry,
      KV_TOKENS_FILE: file,
      LOG_LEVEL: "trace",
    });
    try {
      const url = freshKeyUrl(server.url, "rotated");
      const untilAll = (who: typeof first, status: number) =>
        until(async () => Bun.deepEquals(await statuses(url, who), [status]), `all workers answer ${status}`);
      await untilAll(first, 404);
      await untilAll(second, 401);
      expect((await call(freshKeyUrl(server.url, "auth-a"), { headers: bearer(reader) })).status).toBe(404);

      write(first.entry, second.entry);
      await untilAll(second, 404);
      expect(await statuses(url, first)).toEqual([404]);

      // As an editor or a secret's mount replaces it.
      writeFileSync(`${file}.new`, second.entry);
      renameSync(`${file}.new`, file);
      await untilAll(first, 401);
      expect(await statuses(url, second)).toEqual([404]);

      // Each worker says so.
      const keptBy = (reason: string) =>
        until(() => server.output().split(`${reason}","msg":"tokens can't be read, and stay`).length === 4, reason);
      write(second.entry, `${first.token} read,write`);
      await keptBy("KV_TOKENS_FILE: line 2: an entry is RIGHTS:NAMESPACES:HASH; 'npm run token' makes one");
      expect(await statuses(url, second)).toEqual([404]);
      rmSync(file);
      await keptBy("KV_TOKENS_FILE: ENOENT");
      expect(await statuses(url, second)).toEqual([404]);
      write(first.entry);
      await untilAll(first, 404);
      expect(await statuses(url, second)).toEqual([401]);

      write("");
      await untilAll(first, 401);
      expect((await call(freshKeyUrl(server.url, "auth-a"), { headers: bearer(reader) })).status).toBe(404);
    } finally {
      await server.stop();
    }
    expectNoSecrets(server.output(), [first, second]);
  });

  test("are what a server must be able to read at its start", async () => {
    const start = async (content?: string) => {
      rmSync(file, { force: true });
      if (content !== undefined) writeFileSync(file, content);
      const { output, exited } = launchServer({ DATABASE_URL, PORT: "0", KV_TOKENS_FILE: file });
      expect(await exited).toBe(1);
      expectNoSecrets(output(), [first]);
      expect(output()).not.toMatch(/\n\s+at /);
      return output();
    };
    expect(await start()).toContain("KV_TOKENS_FILE: ENOENT");
    expect(await start("# none yet\n")).toContain("There is no token");
    expect(await start(first.token)).toContain("KV_TOKENS_FILE: line 1: an entry is");
    expect(await start(" ".repeat(5_000_000))).toContain("KV_TOKENS_FILE: more than");
  });
});

describe("npm run token", () => {
  const run = (...args: string[]) =>
    execFileSync(process.execPath, [join(import.meta.dirname, "../src/cli/kv.ts"), "token", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });

  test("prints a token and its entry, another each time", () => {
    const made = [run("--namespaces", "a,b", "--read"), run("--namespaces=*", "--write", "--read")].map((output) =>
      output.trim().split("\n"),
    ) as [string, string][];
    const tokens = new Tokens(made.map(([, entry]) => ({ name: "made", text: entry })));
    expect(tokens.grantOf(made[0]?.[0] as string)).toEqual({
      rights: new Set(["read"]),
      namespaces: new Set(["a", "b"]),
    });
    expect(tokens.grantOf(made[1]?.[0] as string)).toEqual({ rights: new Set(["read", "write"]), namespaces: "*" });
    for (const [token] of made) expect(token).toMatch(/^kv_[\w-]{43}$/);
  });

  test.each([
    [["--read"]],
    [["--namespaces", "a"]],
    [["--namespaces", "a b", "--read"]],
    [["--namespaces", "", "--read"]],
  ])("refuses %j", (args) => {
    expect(() => run(...args)).toThrow();
  });
});

describe("without tokens", () => {
  test.each([
    ["the server", undefined],
    ["npm run worker", WORKER],
  ])("%s says so, and starts when it is told to", async (_, program) => {
    const environment = { DATABASE_URL, KV_HOST: "0.0.0.0", PORT: "0" };
    const { output, exited } = launchServer(environment, program);
    expect(await exited).toBe(1);
    expect(output()).toContain("KV_TOKENS: needed");
    const server = await startServer({ ...environment, KV_ALLOW_ANONYMOUS: "true" }, program);
    const { port } = new URL(server.url);
    const answer = call(`http://127.0.0.1:${port}/v1/kv/auth-a/absent`);
    expect((await answer.finally(server.stop)).status).toBe(404);
  });

  test.each([
    ["a file", { KV_TOKENS_FILE: "/tokens" }, "a Worker has no files"],
    ["a certificate", { KV_TLS_CERT: "/cert", KV_TLS_KEY: "/key" }, "a Worker has no files"],
    ["a token in place of its entry", { KV_TOKENS: all.token }, "KV_TOKENS: line 1: an entry is"],
    ["no entry", { KV_TOKENS: "# none" }, "There is no token"],
  ] as [string, Record<string, string>, string][])("npm run worker refuses %s", async (_, variables, reason) => {
    const { output, exited } = launchServer({ DATABASE_URL, PORT: "0", ...variables }, WORKER);
    expect(await exited).toBe(1);
    expect(output()).toContain(reason);
    expectNoSecrets(output());
  });
});
