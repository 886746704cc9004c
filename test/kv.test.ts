// The commands about one key, and what every command has in common: exit codes, bytes unchanged, wrong command lines.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { run } from "../src/cli/main.ts";
import { Ending, endingOf } from "../src/cli/outcome.ts";
import { KVError } from "../src/client/index.ts";
import { openShell, type Shell } from "./shell.ts";

let shell: Shell;
let kv: Shell["kv"];
beforeAll(() => {
  // It stands still, so that times are exact.
  const now = Date.now();
  shell = openShell({ clock: () => now });
  kv = shell.kv;
});
afterAll(() => shell.stop());

/** For those that run in this process. */
const { KV_URL } = process.env;
beforeAll(() => {
  process.env.KV_URL = shell.url;
});
afterAll(() => {
  if (KV_URL === undefined) delete process.env.KV_URL;
  else process.env.KV_URL = KV_URL;
});

/** What it printed, where it ended as it should. */
async function out(...args: string[]): Promise<string> {
  const { code, out, told } = await kv(args);
  expect({ code, told }).toEqual({ code: 0, told: "" });
  return out;
}
const codeOf = async (...args: string[]) => (await kv(args)).code;

describe("values", () => {
  test("go in and out byte for byte", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(65_000));
    const all = Buffer.concat([bytes, bytes, Buffer.from("\n\0\uFEFF")]);
    expect(await kv(["put", "test/bytes"], { input: all })).toMatchObject({ code: 0, out: "", told: "" });
    expect((await kv(["get", "test/bytes"])).bytes.equals(all)).toBe(true);
    await kv(["put", "test/bytes"], { input: "" });
    expect(await out("get", "test/bytes")).toBe("");
  });

  test("have a document that says all about them", async () => {
    const etag = JSON.parse(
      await out(
        "put",
        "test/a/b",
        "text",
        "--json",
        "--metadata",
        '{"m":1}',
        "--expires-at",
        "2099-01-01T00:00:00.123Z",
      ),
    ).etag;
    expect(JSON.parse(await out("get", "test/a/b", "--json"))).toEqual({
      ...{ key: "a/b", value: "text", content_type: "text/plain; charset=utf-8", metadata: { m: 1 } },
      ...{ expires_at: "2099-01-01T00:00:00.123Z", etag, bytes: 4 },
    });
  });

  test("may have a key of any bytes", async () => {
    expect(await codeOf("put", "test//8A", "binary", "--base64")).toBe(0);
    expect(JSON.parse(await out("get", "test//8A=", "--base64", "--json"))).toMatchObject({ key_base64: "/8A=" });
    expect(await codeOf("get", "test/???", "--base64")).toBe(2);
  });

  test("are set and deleted under conditions", async () => {
    expect(await codeOf("put", "test/c", "1", "--if-none-match", "*")).toBe(0);
    expect(await kv(["put", "test/c", "2", "--if-none-match=*"])).toMatchObject({ code: 1, out: "" });
    const { etag } = JSON.parse(await out("put", "test/c", "2", "--json"));
    expect(await codeOf("put", "test/c", "3", "--if-match", '"another"')).toBe(1);
    expect(await codeOf("delete", "test/c", "--if-match", "another")).toBe(1);
    expect(await codeOf("delete", "test/c", "--if-match", etag.replaceAll('"', ""))).toBe(0);
    expect(await kv(["get", "test/c"])).toMatchObject({
      code: 1,
      out: "",
      told: expect.stringContaining("no such key"),
    });
    expect(await codeOf("delete", "test/c")).toBe(0);
  });

  test("that begin with a dash come after two", async () => {
    expect(await codeOf("put", "test/dash", "--", "--help")).toBe(0);
    expect(await out("get", "test/dash")).toBe("--help");
  });
});

describe("expiries", () => {
  test("are set, read and removed", async () => {
    await kv(["put", "test/e", "v"]);
    expect(await out("ttl", "test/e")).toBe("never\n");
    expect(Number(await out("expire", "test/e", "60"))).toBeWithin(50, 60.001);
    expect(Number(await out("ttl", "test/e"))).toBeWithin(40, 60.001);
    expect(await codeOf("expire", "test/e", "30", "--if", "gt")).toBe(1);
    expect(JSON.parse(await out("expire", "test/e", "--expires-at", "4070908800", "--json"))).toMatchObject({
      expires_at: "2099-01-01T00:00:00.000Z",
    });
    await kv(["put", "test/e", "w", "--keep-ttl"]);
    expect(await out("persist", "test/e")).toBe("");
    expect(JSON.parse(await out("ttl", "test/e", "--json"))).toEqual({ ttl_ms: null, expires_at: null });
  });

  test.each([[["ttl", "test/none"]], [["expire", "test/none", "5"]], [["persist", "test/none"]]])(
    "of an absent key: kv %j",
    async (args) => {
      expect(await codeOf(...args)).toBe(1);
    },
  );
});

test("counters", async () => {
  expect(await out("incr", "test/n")).toBe("1\n");
  expect(await out("incr", "test/n", "--by=-3", "--min=-2")).toBe("-2\n");
  expect(
    JSON.parse(await out("incr", "test/n", "--by", "9223372036854775807", "--json", "--ttl=60", "--renew")),
  ).toEqual({
    ...{ value: "9223372036854775805", etag: expect.any(String) },
    ...{ ttl_ms: expect.any(Number), expires_at: expect.any(String) },
  });
  expect(await kv(["incr", "test/n", "--max", "0"])).toMatchObject({
    code: 3,
    told: expect.stringContaining("out_of_bounds"),
  });
});

test.each<[string[]]>([
  [[]],
  [["nothing"]],
  [["get"]],
  [["get", "test"]],
  [["get", "a b/c"]],
  [["get", "test/."]],
  [["get", "test/a", "--jsno"]],
  [["get", "test/a", "b"]],
  [["put", "test/a", "hello", "world"]],
  [["put", "test/a", "x", "--ttl", "soon"]],
  [["put", "test/a", "x", "--ttl"]],
  [["put", "test/a", "x", "--if-match"]],
  [["put", "test/a", "x", "--content-type", "a\nb"]],
  [["get", "test/a", "--url", "localhost:8787"]],
  [["get", "test/a", "--url", "http://"]],
  [["delete", "test", "--prefix"]],
  [["expire", "test/a", "5", "--ttl", "6"]],
  [["put", "test/a", "x", "--expires-at", "soon"]],
  [["put", "test/a", "x", "--metadata", "{"]],
  [["put", "test/a", "-5"]],
  [["expire", "test/a"]],
  [["expire", "test/a", "5", "--if", "maybe"]],
  [["incr", "test/a", "--by", "1.5"]],
  [["completion", "fish"]],
  [["token", "--read"]],
  [["import", "test", "/nowhere/at/all"]],
])("kv %j is a wrong command line, and sends nothing", async (args) => {
  shell.server.requests.length = 0;
  const { code, message } = await run(args);
  expect(code).toBe(2);
  expect(message.length).toBeGreaterThan(10);
  expect(shell.server.requests).toEqual([]);
});

test("help is on standard output", async () => {
  expect(await out("--help")).toContain("kv COMMAND");
  expect(await out("put", "--help")).toContain("--if-none-match");
  expect(await out("help", "put")).toBe(await out("put", "--help"));
});

test("a command that there is not is told apart from none", async () => {
  expect((await kv([])).told).toStartWith("kv COMMAND");
  expect((await kv(["gte", "test/secret"])).told).toStartWith("There is no such command.\n\nkv COMMAND");
});

test.each([
  ["KV_URL", "localhost:8787", "KV_URL is a URL like http"],
  ["KV_TOKEN", "secret\n", "KV_TOKEN is no token"],
])("a wrong %s is told, and not quoted where it is secret", async (name, value, told) => {
  const { code, out, told: sentence } = await kv(["get", "test/a"], { env: { [name]: value } });
  expect([code, out]).toEqual([2, ""]);
  expect(sentence).toContain(told);
  expect(sentence).not.toContain("secret");
});

test("what the store refuses, and a store that is not there, end with 3", async () => {
  expect(await kv(["put", "test/a", "x", "--ttl=0"])).toMatchObject({
    code: 3,
    told: expect.stringMatching(/invalid_ttl.*request/),
  });
  expect(await kv(["get", "test/a"], { env: { KV_URL: "http://127.0.0.1:9" } })).toMatchObject({ code: 3 });
  expect(await kv(["get", "test/a", "--url", "http://127.0.0.1:9"])).toMatchObject({ code: 3 });
});

test("a wrong command line is told on standard error", async () => {
  expect(await kv(["get"])).toMatchObject({ code: 2, out: "", told: expect.stringMatching(/^[^\n]+\n$/) });
});

test("a write whose answer is lost ends with 4", async () => {
  shell.server.intercept = () => Response.json({ status: 503, code: "outcome_unknown", detail: "?" }, { status: 503 });
  expect(await codeOf("put", "test/a", "x")).toBe(4);
  shell.server.intercept = undefined;
});

test("a fault of the program is none of these", () => {
  expect(endingOf(new Error("fault"), false)).toBe(undefined);
  expect(endingOf(new KVError("timeout", "", 0, false), false)).toMatchObject({ code: 3 });
  expect(endingOf(new Error("aborted"), true)).toMatchObject({ code: 130, message: "" });
  expect(endingOf(new Ending(1, "sentence"), true)).toMatchObject({ code: 1 });
});

test("a token is sent, and never through the proxy of the environment to this machine", async () => {
  const guarded = openShell({ rights: ["read"] });
  const env = { KV_TOKEN: guarded.server.token, HTTP_PROXY: "http://127.0.0.1:9" };
  expect(await guarded.kv(["get", "test/a"], { env })).toMatchObject({ code: 1 });
  expect(await guarded.kv(["put", "test/a", "x"], { env })).toMatchObject({
    code: 3,
    told: expect.stringContaining("forbidden"),
  });
  expect(await guarded.kv(["get", "test/a"])).toMatchObject({ code: 3, told: expect.stringContaining("unauthorized") });
  await guarded.stop();
});

test("bash completes commands, and the options of each", async () => {
  const { out: script } = await kv(["completion", "bash"]);
  const complete = (...words: string[]) => {
    const line = words.map((word) => `'${word}'`).join(" ");
    const run = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _kv; echo "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = Bun.spawnSync(["bash", "-c", run]);
    expect(`${stderr}`).toBe("");
    return stdout.toString().trim();
  };
  expect(complete("kv", "e")).toBe("expire export");
  expect(complete("kv", "put", "--if")).toBe("--if-match --if-none-match");
  expect(complete("kv", "import", "dump")).toBe("");
  expect(complete("kv", "com")).toBe("completion");
  expect(complete("kv", "completion", "")).toBe("bash zsh");
  expect(complete("kv", "help", "ex")).toBe("expire export");
  expect((await kv(["completion", "zsh"])).out).toMatch(/^#compdef kv\n/);
});
