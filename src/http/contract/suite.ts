// The contract, as tests that any server has to pass: in process over the model store, and over HTTP on each runtime.

import { expect, test } from "bun:test";
import document from "../openapi.json";
import { expectDeclared } from "./declared.ts";
import { ENTRIES } from "./entries.ts";
import { expiries } from "./expiry.ts";
import { COUNTERS } from "./increment.ts";
import { TTLS } from "./ttl.ts";

/** The contract as tests of a server at `base`; `send` is how requests reach it. */
export function describeContract(
  name: string,
  base: string,
  send: (url: string, init: RequestInit) => Promise<Response> = fetch,
) {
  const call = (url: string, init: RequestInit = {}) => send(url, init);

  test.each(Object.entries({ ...ENTRIES, ...expiries(), ...TTLS, ...COUNTERS }))(
    `contract on ${name}: %s`,
    async (_, steps) => {
      const url = `${base}/v1/kv/contract/${crypto.randomUUID()}`;
      const saved = new Map<string, string>();
      const filled = (text: string) => text.replace(/\$(\w+)/g, (_, name) => saved.get(name) ?? `missing ${name}`);
      for (const [i, step] of steps.entries()) {
        const [method = "", suffix = ""] = filled(step.send).split(" ");
        const headers = Object.fromEntries(
          Object.entries(step.headers ?? {}).map(([name, text]) => [name, filled(text)]),
        );
        const answer = await call(url + suffix, {
          method,
          headers,
          body: typeof step.body === "string" ? filled(step.body) : step.body,
        });
        const text = await answer.text();
        const where = `step ${i + 1}, ${step.send}: ${text}`;
        expect(`${where} → ${answer.status}`).toBe(`${where} → ${step.gives}`);
        expectDeclared(method, url + suffix, answer, text);
        if (step.text !== undefined) expect(text).toBe(step.text);
        if (typeof step.json === "function") step.json(JSON.parse(text));
        else if (step.json !== undefined) expect(JSON.parse(text)).toEqual(step.json);
        if (step.gives >= 400 && method !== "HEAD") {
          expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
          expect(JSON.parse(text)).toEqual({
            type: "about:blank",
            title: expect.any(String),
            status: step.gives,
            code: step.code ?? expect.any(String),
            detail: expect.any(String),
            request_id: answer.headers.get("X-Request-Id"),
          });
        }
        for (const [name, wanted] of Object.entries(step.has ?? {})) {
          const actual = answer.headers.get(name);
          if (wanted instanceof RegExp) expect(actual).toMatch(wanted);
          else expect(actual).toEqual(typeof wanted === "string" ? filled(wanted) : wanted);
        }
        if (step.save) saved.set(step.save, answer.headers.get(step.from ?? "ETag") ?? "");
      }
    },
  );

  test(`contract on ${name}: paths that name nothing`, async () => {
    for (const [path, status, code] of [
      ["/", 404, "no_such_route"],
      ["/v1/kv/ns/a/b", 404, "no_such_route"],
      ["/v1/kv/ns/a/ttl/b", 404, "no_such_route"],
      ["/v2/kv/ns/a", 404, "no_such_route"],
    ] as const) {
      const answer = await call(base + path);
      expect([path, answer.status, ((await answer.json()) as { code: string }).code]).toEqual([path, status, code]);
    }
  });

  test(`contract on ${name}: what is not about an entry`, async () => {
    for (const path of ["/healthz", "/readyz", "/openapi.json", "/docs"]) {
      const answer = await call(base + path);
      expect([path, answer.status]).toEqual([path, 200]);
      expectDeclared("GET", base + path, answer, await answer.text());
      expect((await call(base + path, { method: "POST" })).headers.get("Allow")).toBe("GET, HEAD");
    }
  });

  test(`contract on ${name}: the page of the API has all that it needs, and from nowhere else`, async () => {
    const page = await call(`${base}/docs`);
    expect(page.headers.get("Content-Security-Policy")).toStartWith("default-src 'none'; script-src 'self';");
    const parts = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part = ""]) => part);
    const types = parts
      .filter((part) => part !== "data:,")
      .map(async (part) => {
        const answer = await call(new URL(part, `${base}/docs`).href);
        return [part, answer.status, answer.headers.get("Content-Type"), (await answer.text()).length > 100_000];
      });
    expect(await Promise.all(types)).toEqual([
      ["docs/page.css", 200, "text/css; charset=utf-8", true],
      ["docs/page.js", 200, "text/javascript; charset=utf-8", true],
    ]);
    expect(await (await call(`${base}/openapi.json`)).json()).toEqual(document);
  });
}
