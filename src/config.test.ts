import { describe, expect, test } from "bun:test";
import { newToken } from "./auth/tokens.ts";
import { readConfig, readWorkerConfig, VARIABLES } from "./config.ts";

const KV_TOKENS = newToken(["read"], "*").entry;

describe("without tokens", () => {
  test.each(["0.0.0.0", "::", "192.0.2.1", "kv.example", "127.example", "::ffff:0.0.0.0"])(
    "no server starts on %s unless it is told to",
    (KV_HOST) => {
      expect(() => readConfig({ KV_HOST })).toThrow(/^KV_TOKENS: needed .* KV_ALLOW_ANONYMOUS=true lets everyone in/);
      expect(readConfig({ KV_HOST, KV_ALLOW_ANONYMOUS: "true" }).KV_HOST).toBe(KV_HOST);
      expect(readConfig({ KV_HOST, KV_TOKENS }).KV_HOST).toBe(KV_HOST);
      expect(readConfig({ KV_HOST, KV_TOKENS_FILE: "/tokens" }).KV_HOST).toBe(KV_HOST);
    },
  );

  test.each(["127.0.0.1", "127.8.9.10", "::1", "localhost"])("one does on %s", (KV_HOST) => {
    expect(readConfig({ KV_HOST }).KV_HOST).toBe(KV_HOST);
  });

  test("a Worker does not start unless it is told to, whatever its variables say of an address", () => {
    expect(() => readWorkerConfig({ KV_HOST: "127.0.0.1" })).toThrow("KV_TOKENS: needed");
    expect(readWorkerConfig({ KV_ALLOW_ANONYMOUS: "true" }).KV_TOKENS).toBeUndefined();
    expect(readWorkerConfig({ KV_TOKENS }).KV_TOKENS).toBe(KV_TOKENS);
    expect(() => readWorkerConfig({ KV_TOKENS_FILE: "/tokens" })).toThrow("KV_TOKENS_FILE: a Worker has no files");
    expect(() => readWorkerConfig({ KV_TOKENS, KV_DEADLINE_MS: "2000" })).toThrow("KV_READ_LEASE_MS: must be less");
    expect(readWorkerConfig({ KV_TOKENS, KV_DEADLINE_MS: "2000", KV_READ_LEASE_MS: "0" }).KV_READ_LEASE_MS).toBe(0);
  });

  test("an edge needs none, and takes none", () => {
    const KV_FORWARD_URL = "https://a.example/, http://b.example:8080";
    expect(readWorkerConfig({ KV_FORWARD_URL }).KV_FORWARD_URL).toEqual(["https://a.example", "http://b.example:8080"]);
    expect(() => readWorkerConfig({ KV_FORWARD_URL, KV_TOKENS })).toThrow("KV_TOKENS: are checked where");
    for (const wrong of ["a.example", "mysql://a.example", "https://kv:hunter2@a.example"]) {
      expect(() => readWorkerConfig({ KV_FORWARD_URL: wrong })).toThrow(/^KV_FORWARD_URL: (?!.*hunter2)/);
    }
  });

  test("letting everyone in and asking for tokens exclude each other", () => {
    expect(() => readConfig({ KV_TOKENS, KV_ALLOW_ANONYMOUS: "true" })).toThrow("KV_ALLOW_ANONYMOUS: can't be true");
  });
});

test.each(["1", "-0.1", "0,5", "much"])("KV_TTL_JITTER=%p is refused", (text) => {
  expect(() => readConfig({ KV_TTL_JITTER: text })).toThrow("KV_TTL_JITTER: must be from 0 to less than 1");
});

test.each([
  [{ PORT: "http" }, "PORT"],
  [{ PORT: "0x50" }, "PORT"],
  [{ PORT: "65536" }, "PORT"],
  [{ KV_MAX_VALUE_BYTES: "9000000" }, "KV_MAX_VALUE_BYTES"],
  [{ KV_DEADLINE_MS: "0" }, "KV_DEADLINE_MS"],
  [{ KV_WORKERS: "1.5" }, "KV_WORKERS"],
  [{ KV_SWEEP: "yes" }, "KV_SWEEP"],
  [{ DATABASE_URL: "postgres://user:hunter2@127.0.0.1/kv" }, "DATABASE_URL"],
  [{ DATABASE_URL: "mysql://kv:hunter2@127.0.0.1:1/kv,mysql://kv:hunter2@127.0.0.1:2/other" }, "DATABASE_URL"],
] as [Record<string, string>, string][])("%j is refused by its name, without its value", (environment, name) => {
  expect(() => readConfig(environment)).toThrow(new RegExp(`^${name}: (?!.*hunter2)`));
});

test("an empty variable counts as not set", () => {
  const empty = Object.fromEntries(VARIABLES.map((name) => [name, ""]));
  expect(readConfig(empty)).toEqual(readConfig({}));
});

test.each(["*", "https://a.example", "https://a.example, http://localhost:3000"])(
  "KV_CORS_ORIGINS=%s is taken",
  (list) => {
    expect(readConfig({ KV_CORS_ORIGINS: list }).KV_CORS_ORIGINS).toEqual(list.split(/, ?/));
  },
);

test.each(["a.example", "https://a.example/", "https://*.example", "null,", "https://a.example;https://b.example"])(
  "KV_CORS_ORIGINS=%s is refused",
  (list) => {
    expect(() => readConfig({ KV_CORS_ORIGINS: list })).toThrow("KV_CORS_ORIGINS: must be");
  },
);

test("every wrong variable is named", () => {
  expect(() => readConfig({ PORT: "x", KV_SWEEP: "x" })).toThrow(/^PORT: .*\nKV_SWEEP: /);
});
