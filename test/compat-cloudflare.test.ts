// Clients of Cloudflare's REST API, unmodified, against a server over Vitess: the SDK, unstorage's driver, and `kv` of
// wrangler.

import { afterAll, describe, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Cloudflare, { toFile } from "cloudflare";
import { createStorage } from "unstorage";
import cloudflareKvHttp from "unstorage/drivers/cloudflare-kv-http";
import { WRANGLER } from "../vitess/run/workerd.ts";
import { freshNamespace } from "./compat/namespaces.ts";
import { targets } from "./targets.ts";

const { url } = targets.vitess;
const account_id = "any";

describe("the SDK", () => {
  const { namespaces } = new Cloudflare({ baseURL: `${url}/client/v4`, apiToken: "none" }).kv;
  const namespace = freshNamespace("sdk");
  const at = { account_id, namespace_id: namespace };
  const { values, keys, metadata } = namespaces;

  test("writes, reads and deletes values", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await values.update("foo/b:ar %ü", {
      ...at,
      value: "täxt",
      metadata: { a: "日本", b: ["1"] },
      expiration_ttl: 1.5,
    });
    await values.update("bytes", { ...at, value: (await toFile(bytes, "v")) as never, metadata: '{"n":1}' });
    expect(await (await values.get("foo/b:ar %ü", at)).text()).toBe("täxt");
    expect(new Uint8Array(await (await values.get("bytes", at)).arrayBuffer())).toEqual(bytes);
    expect(await metadata.get("foo/b:ar %ü", at)).toEqual({ a: "日本", b: ["1"] });
    expect(await metadata.get("bytes", at)).toEqual({ n: 1 });
    const largest = "é".repeat(511);
    await values.update("bytes", { ...at, value: "v", metadata: JSON.stringify(largest) });
    expect(await metadata.get("bytes", at)).toBe(largest);
    await Bun.sleep(1_500);
    const gone = await values.get("foo/b:ar %ü", at).catch((error) => error);
    expect([gone.status, gone.errors[0].code]).toEqual([404, 10_009]);
    await values.delete("bytes", at);
    expect((await keys.list(namespace, { account_id })).result).toEqual([]);
  });

  test("writes, lists, reads and deletes many", async () => {
    const names = Array.from({ length: 1_500 }, (_, i) => `k${String(i).padStart(4, "0")}`);
    const body = names.map((key) => ({ key, value: key, metadata: { key } }));
    expect(await namespaces.bulkUpdate(namespace, { account_id, body })).toEqual({
      successful_key_count: 1_500,
      unsuccessful_keys: [],
    });
    const listed = [];
    for await (const key of keys.list(namespace, { account_id, limit: 700 })) listed.push(key);
    expect(listed).toEqual(names.map((name) => ({ name, metadata: { key: name } })));
    const some = names.slice(0, 3);
    expect(await namespaces.bulkGet(namespace, { account_id, keys: [...some, "none"] })).toEqual({
      values: { ...Object.fromEntries(some.map((name) => [name, name])), none: null as never },
    });
    expect(await namespaces.bulkDelete(namespace, { account_id, body: names })).toMatchObject({
      successful_key_count: 1_500,
    });
    expect((await keys.list(namespace, { account_id })).result).toEqual([]);
  });

  test("makes, lists and deletes namespaces", async () => {
    const title = `${namespace} with spaces`;
    const made = await namespaces.create({ account_id, title });
    expect(made).toMatchObject({ title });
    await values.update("k", { account_id, namespace_id: made.id, value: "v" });
    const again = await namespaces.create({ account_id, title }).catch((error) => error);
    expect([again.status, again.errors[0].code]).toEqual([400, 10_014]);
    const listed = [];
    for await (const each of namespaces.list({ account_id, per_page: 7 })) listed.push(each);
    expect(listed).toContainEqual(made);
    expect(new Set(listed.map(({ id }) => id)).size).toBe(listed.length);
    await namespaces.delete(made.id, { account_id });
    const left = await namespaces.list({ account_id, per_page: 1_000 });
    expect(left.result).not.toContainEqual(made);
  });
});

test("unstorage over its driver", async () => {
  const options = { accountId: account_id, namespaceId: freshNamespace("unstorage"), apiToken: "none", apiURL: url };
  const storage = createStorage({ driver: cloudflareKvHttp({ ...options, base: "app", minTTL: 1 }) });
  await storage.setItem("a:text", "täxt");
  await storage.setItem("a:object", { n: [1, null] });
  await storage.setItem("b:short", "v", { ttl: 1 });
  expect(await storage.getItem<unknown>("a:text")).toBe("täxt");
  expect(await storage.getItem<unknown>("a:object")).toEqual({ n: [1, null] });
  expect(await storage.getItem("none")).toBeNull();
  expect([await storage.hasItem("a:text"), await storage.hasItem("none")]).toEqual([true, false]);
  expect((await storage.getKeys("a")).toSorted()).toEqual(["a:object", "a:text"]);
  await Bun.sleep(1_000);
  expect(await storage.hasItem("b:short")).toBe(false);
  await storage.removeItem("a:text");
  expect(await storage.getKeys()).toEqual(["a:object"]);
  await storage.clear();
  expect(await storage.getKeys()).toEqual([]);
});

describe("wrangler", () => {
  const dir = mkdtempSync(join(tmpdir(), "vitess-kv-wrangler-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const title = freshNamespace("wrangler");
  const namespace = `--namespace-id=${title}`;
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };

  async function kv(...args: string[]): Promise<string> {
    const environment = {
      ...{
        CLOUDFLARE_API_BASE_URL: `${url}/client/v4`,
        CLOUDFLARE_API_TOKEN: "none",
        CLOUDFLARE_ACCOUNT_ID: account_id,
      },
      ...{
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
        XDG_CONFIG_HOME: dir,
        NO_COLOR: "1",
        CI: "true",
      },
    };
    const options = { cwd: dir, env: { ...process.env, ...environment } };
    const { stdout } = await promisify(execFile)("node", ["--no-warnings", WRANGLER, "kv", ...args], options);
    return stdout;
  }

  test("does all that it can do with keys", async () => {
    await kv("key", "put", "a/ü", "täxt", "--ttl=600", "--metadata", '{"n":{"m":[1]}}', namespace, "--remote");
    await kv("key", "put", "bytes", `--path=${file("bytes", "\0\u00ff")}`, namespace, "--remote");
    expect(await kv("key", "get", "a/ü", namespace, "--remote", "--text")).toBe("täxt\n");
    const listed = JSON.parse(await kv("key", "list", namespace, "--remote"));
    expect(listed).toEqual([
      { name: "a/ü", expiration: expect.any(Number), metadata: { n: { m: [1] } } },
      { name: "bytes" },
    ]);
    await kv("key", "delete", "bytes", namespace, "--remote");
    const pairs = [
      { key: "b1", value: "täxt", metadata: { a: 1 } },
      { key: "b2", value: "/wA=", base64: true, expiration_ttl: 60 },
    ];
    await kv("bulk", "put", file("pairs.json", JSON.stringify(pairs)), namespace, "--remote");
    const names = file("names.json", JSON.stringify(["a/ü", "b1", "none"]));
    const got = await kv("bulk", "get", names, namespace, "--remote");
    expect(JSON.parse(got.slice(got.indexOf("{"), got.lastIndexOf("}") + 1))).toMatchObject({
      "a/ü": "täxt",
      b1: "täxt",
    });
    await kv("bulk", "delete", names, namespace, "--remote", "--force");
    expect(JSON.parse(await kv("key", "list", namespace, "--remote"))).toEqual([
      { name: "b2", expiration: expect.any(Number) },
    ]);
  });

  test("makes, lists and deletes namespaces, and is told that none can be renamed", async () => {
    expect(await kv("namespace", "create", `${title} new`)).toContain(`${title}--20new`);
    await kv("key", "put", "k", "v", namespace, "--remote");
    expect(JSON.parse(await kv("namespace", "list"))).toContainEqual({ id: title, title, supports_url_encoding: true });
    const renamed = await kv("namespace", "rename", "--new-name=other", namespace).catch(
      (error) => error.stdout + error,
    );
    expect(renamed).toContain("can't be renamed");
    await kv("namespace", "delete", title, "--skip-confirmation");
    expect(await kv("namespace", "list")).not.toContain(`"${title}"`);
  });
});
