// The page's browser of keys, in Debian's Chromium over a real cluster.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { newToken } from "../src/auth/tokens.ts";
import { createClient } from "../src/client/index.ts";
import { type RunningServer, startServer } from "../vitess/run/server-process.ts";
import {
  CHROMIUM,
  expectAccessible,
  expectFits,
  launchChromium,
  type OpenPage,
  openDashboard,
  PHONE,
} from "./dashboard/chromium.ts";
import { targets, until } from "./targets.ts";

/** One pixel. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

if (!CHROMIUM) console.error("Chromium is not on PATH, so the page is not tried: apt-get install chromium");

describe.skipIf(!CHROMIUM)("the browser of keys", () => {
  let browser: Browser;
  const opened: OpenPage[] = [];
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterEach(async () => {
    const pages = opened.splice(0);
    await Promise.all(pages.map(({ close }) => close()));
    expect(pages.flatMap(({ problems }) => problems)).toEqual([]);
  });
  afterAll(() => browser?.close());

  const store = (namespace: string) => createClient({ url: targets.vitess.url, namespace });
  const fresh = () => `page-${randomUUID()}`;

  async function open(place: string, options?: BrowserContextOptions, url = targets.vitess.url): Promise<Page> {
    const each = await openDashboard(browser, url, place, options);
    opened.push(each);
    return each.page;
  }
  const item = (page: Page, name: string) => page.getByRole("treeitem", { name, exact: true });
  const value = (page: Page) => page.getByRole("region", { name: "Value" });
  const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
  const names = (page: Page) => page.locator(".tree .name").allTextContents();

  test("shows a tree by any delimiter, and below any prefix", async () => {
    const namespace = fresh();
    const kv = store(namespace);
    const keys = ["a:1", "a/b/c", "a/b/d", "a/e", "é/ü", "z", new Uint8Array([0xff, 0x41])];
    await Promise.all(keys.map((key) => kv.put(key, "v")));
    const page = await open("");
    await page.getByLabel("Namespace").fill(namespace);
    await button(page, "Show").click();
    await item(page, "a/").click();
    await item(page, "b/").click();
    await item(page, "d").waitFor();
    expect(await names(page)).toEqual(["a/", "b/", "c", "d", "e", "a:1", "z", "é/", "\\xffA"]);
    await page.getByLabel("Delimiter").fill(":");
    await button(page, "Show").click();
    await item(page, "a:").click();
    await item(page, "1").waitFor();
    expect(await names(page)).toEqual(["a/b/c", "a/b/d", "a/e", "a:", "1", "z", "é/ü", "\\xffA"]);
    await page.getByLabel("Delimiter").fill("");
    await page.getByLabel("Prefix").fill("a/");
    await button(page, "Show").click();
    await item(page, "b/c").waitFor();
    expect(await names(page)).toEqual(["b/c", "b/d", "e"]);
    await page.goBack();
    await item(page, "a:").waitFor();
    await item(page, "\\xffA").click();
    await page.getByRole("heading", { name: "\\xffA" }).waitFor();
    expect(await value(page).textContent()).toBe("v");
  });

  test("has keys by pages, the first of 1,000 at once", async () => {
    const namespace = fresh();
    const kv = store(namespace);
    const named = Array.from({ length: 1_200 }, (_, i) => `key-${String(i).padStart(4, "0")}`);
    await Promise.all(named.map((key) => kv.put(key, "v")));
    const page = await open("");
    // Of the moment after which the page is painted with all of them.
    await page.context().addInitScript(`
      const look = () => requestAnimationFrame(() => {
        if (document.querySelectorAll("[role=treeitem]").length < 1000) return look();
        requestAnimationFrame(() => { globalThis.shownMs = performance.now(); });
      });
      look();`);
    await page.goto("about:blank");
    await page.goto(`${targets.vitess.url}/dashboard#keys?namespace=${namespace}`);
    await until(async () => (await page.evaluate("globalThis.shownMs")) !== undefined, "all are painted");
    const [shown, paint, listed] = await page.evaluate<number[]>(`[
      shownMs,
      performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
      performance.getEntriesByType("resource").find(({ name }) => name.includes("/v1/kv/"))?.duration,
    ]`);
    const ms = (value = Number.NaN) => `${Math.round(value)} ms`;
    console.log(
      `1,000 keys: first paint after ${ms(paint)}, all painted after ${ms(shown)}; the list itself took ${ms(listed)}`,
    );
    expect(await page.getByRole("treeitem").count()).toBe(1_001);
    await item(page, "More keys …").click();
    await item(page, "key-1199").waitFor({ state: "attached" });
    expect(await names(page)).toEqual(named);
  });

  test("shows a value as text, JSON, bytes and image, with what is known of it", async () => {
    const namespace = fresh();
    const kv = store(namespace);
    await kv.putJson("document", { a: [1, "ü"] }, { metadata: { lang: "fr" } });
    await kv.put("image", PNG, { contentType: "image/png" });
    await kv.put("bytes", new Uint8Array([0, 1, 255]));
    const page = await open(`#keys?namespace=${namespace}`);
    await item(page, "document").click();
    const panel = page.getByRole("region", { name: "Entry" });
    await value(page).waitFor();
    expect(await value(page).textContent()).toBe('{\n  "a": [\n    1,\n    "ü"\n  ]\n}');
    await page.getByLabel("Text").check();
    expect(await value(page).textContent()).toBe('{"a":[1,"ü"]}');
    await page.getByLabel("Hex").check();
    expect(await value(page).textContent()).toContain("00000000  7b 22 61 22 3a 5b 31 2c 22 c3 bc 22 5d 7d");
    const { etag } = (await kv.head("document")) as { etag: string };
    for (const text of ["application/json", etag, '{"lang":"fr"}', "Never expires"]) {
      expect(await panel.textContent()).toContain(text);
    }
    await item(page, "image").click();
    await until(() => page.evaluate("document.querySelector('.value img')?.naturalWidth === 1"), "the image is shown");
    await item(page, "bytes").click();
    await page.getByRole("heading", { name: "bytes" }).waitFor();
    await until(async () => ((await value(page).textContent()) ?? "").includes("00 01 ff"), "the bytes are shown");
    expect(await page.getByLabel("Text").isDisabled()).toBe(true);
  });

  test("counts a TTL down, changes it, and tells when the key has expired", async () => {
    const namespace = fresh();
    const kv = store(namespace);
    await kv.put("key", "v", { ttl: 3_000 });
    const page = await open(`#keys?namespace=${namespace}&key=key`);
    const left = page.locator(".left");
    await left.waitFor();
    expect(await left.textContent()).toMatch(/^49 min|^50 min/);
    const first = await left.textContent();
    await until(async () => (await left.textContent()) !== first, "it counts down");
    expect(await button(page, "Set").count()).toBe(0);
    await page.getByLabel("Allow changes").check();
    await button(page, "Never expire").click();
    await page.getByText("Never expires").waitFor();
    expect(await kv.ttl("key")).toEqual({ ttlMs: null, expiresAt: null });
    await page.getByLabel("Expire in").fill("3");
    await page.getByLabel("Unit").selectOption("seconds");
    await button(page, "Set").click();
    await page.getByText("There is no such key, or not any more.").waitFor();
    expect(await kv.get("key")).toBe(null);
  });

  test("changes nothing unless asked, and then makes, edits and deletes", async () => {
    const namespace = fresh();
    const kv = store(namespace);
    await kv.put("old", "a\r\nb", { metadata: [1], ttl: 1_000 });
    const page = await open(`#keys?namespace=${namespace}&key=old`);
    await value(page).waitFor();
    for (const name of ["Edit", "Delete", "New key …", "Delete by prefix …"]) {
      expect([name, await button(page, name).count()]).toEqual([name, 0]);
    }
    await page.getByLabel("Allow changes").check();
    await button(page, "Edit").click();
    await page.getByRole("textbox", { name: "Value", exact: true }).fill("a\nb\nc");
    await button(page, "Save").click();
    await page.getByText("Saved.").waitFor();
    const saved = await kv.getWithInfo("old");
    expect(saved).toMatchObject({ value: "a\r\nb\r\nc", metadata: [1] });
    expect(saved?.expiresAt).not.toBe(null);
    await button(page, "New key …").click();
    await page.getByLabel("Key", { exact: true }).fill("old");
    await button(page, "Make it").click();
    await page.getByText("This key is there already.").waitFor();
    await page.getByLabel("Key", { exact: true }).fill("new");
    await page.getByRole("textbox", { name: "Value", exact: true }).fill("made");
    await button(page, "Make it").click();
    await page.getByRole("heading", { name: "new", exact: true }).waitFor();
    expect(await kv.get("new")).toBe("made");
    await button(page, "Delete").click();
    await page.getByText("There is no such key, or not any more.").waitFor();
    expect(await kv.get("new")).toBe(null);
  });

  test("of two who edit, the second is shown both versions and decides", async () => {
    const namespace = fresh();
    const kv = store(namespace);
    await kv.put("shared", "first");
    const pages = [
      await open(`#keys?namespace=${namespace}&key=shared`),
      await open(`#keys?namespace=${namespace}&key=shared`),
    ] as const;
    for (const [i, page] of pages.entries()) {
      await page.getByLabel("Allow changes").check();
      await button(page, "Edit").click();
      await page.getByRole("textbox", { name: "Value", exact: true }).fill(`of ${i}`);
    }
    const [one, other] = pages;
    await button(one, "Save").click();
    await one.getByText("Saved.").waitFor();
    await button(other, "Save").click();
    await other.getByRole("heading", { name: "Somebody has changed this entry meanwhile" }).waitFor();
    const shown = (title: string) => other.getByRole("region", { name: `${title}: value` }).textContent();
    expect([await shown("Stored now"), await shown("Yours")]).toEqual(["of 0", "of 1"]);
    expect(await kv.get("shared")).toBe("of 0");
    await expectAccessible(other);
    // While one looks at both, it changes again: the version that was not seen is not overwritten either.
    await kv.put("shared", "of a third");
    await button(other, "Save yours over theirs").click();
    await until(async () => (await shown("Stored now")) === "of a third", "the third version is shown");
    await button(other, "Edit yours further").click();
    await textField(other).fill("of both");
    await button(other, "Save").click();
    await other.getByText("Saved.").waitFor();
    expect(await kv.get("shared")).toBe("of both");
    await button(one, "Edit").click();
    await textField(one).fill("too late");
    await kv.delete("shared");
    await button(one, "Save").click();
    await one.getByRole("heading", { name: "Somebody has deleted this key meanwhile" }).waitFor();
    await button(one, "Discard yours").click();
    await one.getByText("There is no such key, or not any more.").waitFor();
  });
  const textField = (page: Page) => page.getByRole("textbox", { name: "Value", exact: true });

  test("deletes by prefix only what it has counted first", async () => {
    const namespace = fresh();
    const kv = store(namespace);
    await Promise.all(["a/1", "a/2", "b"].map((key) => kv.put(key, "v")));
    const page = await open(`#keys?namespace=${namespace}`);
    await page.getByLabel("Allow changes").check();
    await button(page, "Delete by prefix …").click();
    const dialog = page.getByRole("dialog");
    await page.getByLabel("Keys that begin with").fill("a/");
    expect(await dialog.getByRole("button", { name: /^Delete/ }).count()).toBe(0);
    await button(page, "Count").click();
    await page.getByText("2 keys would be deleted. Nothing was deleted yet.").waitFor();
    expect(await kv.get("a/1")).toBe("v");
    await expectAccessible(page);
    await page.getByLabel("Keys that begin with").fill("a");
    expect(await dialog.getByRole("button", { name: /^Delete/ }).count()).toBe(0);
    await button(page, "Count").click();
    await button(page, "Delete 2 keys").click();
    await page.getByText("2 keys deleted.").waitFor();
    await page.keyboard.press("Escape");
    await item(page, "b").waitFor();
    expect(await names(page)).toEqual(["b"]);
    expect(await kv.get("a/1")).toBe(null);
  });

  test("what is stored does nothing: scripts, pages, drawings, in values, names and metadata", async () => {
    const namespace = fresh();
    const kv = store(namespace);
    const script = "<script>top.ran = true</script><img src=x onerror='top.ran = true'>";
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload="top.ran = true"><script>top.ran = true</script></svg>`;
    const stored: [key: string, value: string, contentType: string][] = [
      ["page", script, "text/html"],
      ["script", "top.ran = true", "text/javascript"],
      ["drawing", svg, "image/svg+xml"],
      ["false image", svg, "image/png"],
      [script, script, "text/plain"],
    ];
    for (const [key, text, contentType] of stored) await kv.put(key, text, { contentType, metadata: { script } });
    const page = await open(`#keys?namespace=${namespace}&delimiter=`);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    for (const [key, text, contentType] of stored) {
      await item(page, key).click();
      await page.getByRole("heading", { name: key }).waitFor();
      if (contentType === "image/png") await page.getByLabel("Text").check();
      await until(async () => (await value(page).textContent()) === text, "it is shown as text");
      expect(await page.getByLabel("Image").isEnabled()).toBe(contentType === "image/png");
    }
    // As a page of its own it can't run either.
    for (const [key] of stored) {
      const other = await (opened.at(-1) as OpenPage).page.context().newPage();
      await other.goto(`${targets.vitess.url}/v1/kv/${namespace}/${encodeURIComponent(key)}`).catch(() => {});
      expect(await other.evaluate("top.ran")).toBeUndefined();
    }
    expect(await page.evaluate("top.ran")).toBeUndefined();
    const own = asked.filter(
      (url) => !url.startsWith(targets.vitess.url) && !url.startsWith(`blob:${targets.vitess.url}`),
    );
    expect(own).toEqual([]);
  });

  test("is used by keyboard alone", async () => {
    const namespace = fresh();
    const kv = store(namespace);
    await kv.put("folder/key", "v");
    const page = await open("");
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const focused = () => page.evaluate<string>("document.activeElement.textContent || document.activeElement.name");
    const tabTo = async (text: string) => {
      for (let i = 0; (await focused()) !== text; i++) {
        if (i > 40) throw new Error(`the Tab key does not lead to ${text}`);
        await press("Tab");
        const ring = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
        if (await page.evaluate("document.activeElement !== document.body")) expect(ring).not.toBe("none");
      }
    };
    await tabTo("namespace");
    await page.keyboard.type(namespace);
    await press("Enter");
    await item(page, "folder/").waitFor();
    await tabTo("folder/");
    await press("ArrowRight");
    await item(page, "key").waitFor();
    await press("ArrowDown");
    await press("Enter");
    await page.getByRole("heading", { name: "folder/key" }).waitFor();
    await until(async () => (await focused()) === "folder/key", "the entry has the focus");
    await value(page).waitFor();
    await press("Escape");
    await until(async () => (await focused())?.startsWith("key"), "the tree has the focus again");
    await press("ArrowLeft");
    expect(await focused()).toBe("folder/");
    await press("ArrowLeft");
    expect(await names(page)).toEqual(["folder/"]);
    await press("ArrowRight", "ArrowRight", "Enter");
    await page.getByRole("heading", { name: "folder/key" }).waitFor();
    await page.getByLabel("Allow changes").focus();
    await press("Space");
    await value(page).waitFor();
    await tabTo("Edit");
    await press("Enter");
    await textField(page).waitFor();
    await textField(page).focus();
    await press("End");
    await page.keyboard.type("w");
    await tabTo("Save");
    await press("Enter");
    await page.getByText("Saved.").waitFor();
    expect(await kv.get("folder/key")).toBe("vw");
  });

  test("what opens has the focus as soon as it is there: a key pressed next reaches it", async () => {
    const namespace = fresh();
    await store(namespace).put("key", "v");
    const page = await open(`#keys?namespace=${namespace}`);
    await page.getByLabel("Allow changes").check();
    // An observer is called before anything else of the page, or of its user, can be.
    await page.evaluate(`{
      globalThis.focusedFirst = {};
      new MutationObserver(() => {
        for (const opened of [".entry h2", "dialog"]) {
          const element = document.querySelector(opened);
          if (element) focusedFirst[opened] ??= element.contains(document.activeElement);
        }
      }).observe(document, { childList: true, subtree: true });
    }`);
    await item(page, "key").click();
    await page.getByRole("heading", { name: "key" }).waitFor();
    await button(page, "New key …").click();
    await page.getByRole("dialog").waitFor();
    expect(await page.evaluate("focusedFirst")).toEqual({ ".entry h2": true, dialog: true });
  });

  test.each(["light", "dark"] as const)(
    "has nothing against it in the %s theme, on a desk and on a phone",
    async (colorScheme) => {
      const namespace = fresh();
      const kv = store(namespace);
      await kv.putJson(`folder/${"long".repeat(60)}`, { a: "long".repeat(100) }, { metadata: { a: 1 }, ttl: 1_000 });
      await kv.put("image", PNG, { contentType: "image/png" });
      for (const options of [{ colorScheme }, { colorScheme, ...PHONE }]) {
        const page = await open(`#keys?namespace=${namespace}`, options);
        await item(page, "folder/").click();
        await item(page, "long".repeat(60)).waitFor();
        await expectAccessible(page);
        await expectFits(page);
        await page.getByLabel("Allow changes").check();
        await item(page, "long".repeat(60)).click();
        await value(page).waitFor();
        await expectAccessible(page);
        await expectFits(page);
        await button(page, "Edit").click();
        await expectAccessible(page);
        await expectFits(page);
        await button(page, "Cancel").click();
        await button(page, "Token …").click();
        await expectAccessible(page);
        const ground = await page.evaluate("getComputedStyle(document.body).backgroundColor");
        expect(ground).toBe(colorScheme === "dark" ? "rgb(20, 23, 28)" : "rgb(255, 255, 255)");
      }
    },
  );

  describe("with tokens", () => {
    const namespace = fresh();
    const writer = newToken(["read", "write"], namespace);
    const reader = newToken(["read"], namespace);
    let server: RunningServer;
    beforeAll(async () => {
      const KV_TOKENS = `${writer.entry} ${reader.entry}`;
      server = await startServer({ DATABASE_URL: targets.vitess.databaseUrl, KV_TOKENS });
      await createClient({ url: server.url, namespace, token: writer.token }).put("key", "v");
    });
    afterAll(() => server?.stop());

    async function use(page: Page, token: string) {
      await button(page, "Token …").click();
      await page.getByLabel("Token", { exact: true }).fill(token);
      await button(page, "Use").click();
    }

    test("asks for one, keeps it in its tab, and does what that allows", async () => {
      const page = await open(`#keys?namespace=${namespace}`, {}, server.url);
      await page.getByText("The server asks for a token. Try again").waitFor();
      await use(page, reader.token);
      await item(page, "key").click();
      await value(page).waitFor();
      await page.getByLabel("Allow changes").check();
      await button(page, "Delete").click();
      await page.getByText("This token does not allow this kind of call.").waitFor();
      await page.reload();
      await item(page, "key").waitFor();
      expect(await page.evaluate("[localStorage.length, document.cookie]")).toEqual([0, ""]);
      await use(page, writer.token);
      await page.getByLabel("Allow changes").check();
      await button(page, "Delete").click();
      await page.getByText("There is no such key, or not any more.").waitFor();
      await page.getByRole("link", { name: "State" }).click();
      await page.getByText("This needs a token for all namespaces.").waitFor();
      const another = await open(`#keys?namespace=${namespace}`, {}, server.url);
      await another.getByText("The server asks for a token. Try again").waitFor();
    });
  });

  test.each(["mysql", "worker", "deno"] as const)("works over %s", async (name) => {
    const { url } = targets[name];
    const namespace = fresh();
    const kv = createClient({ url, namespace });
    await kv.put("a/b", "v");
    const page = await open(`#keys?namespace=${namespace}`, {}, url);
    await item(page, "a/").click();
    await item(page, "b").click();
    await value(page).waitFor();
    await page.getByLabel("Allow changes").check();
    await button(page, "Edit").click();
    await textField(page).fill("w");
    await button(page, "Save").click();
    await page.getByText("Saved.").waitFor();
    expect(await kv.get("a/b")).toBe("w");
    await page.getByRole("link", { name: "State" }).click();
    if (name === "mysql") await page.getByText("The database is a plain MySQL").waitFor();
    else if (name === "deno") await page.getByRole("article", { name: "Shard -80" }).waitFor();
    else await page.getByText("This server tells of no state").waitFor();
  });
});
