// What tests of lists, deletions by prefix and batches do with a namespace of a server, each answer held against what
// is declared.

import { expect } from "bun:test";
import { expectDeclared } from "./declared.ts";

export type Send = (url: string, init: RequestInit) => Promise<Response>;

interface Listed {
  entries: ({ key?: string; key_base64?: string } & Record<string, unknown>)[];
  prefixes?: unknown[];
  cursor: string | null;
}

export const keysOf = ({ entries }: Listed) => entries.map(({ key, key_base64 }) => key ?? { key_base64 });

/** Calls of the server at `base`, whose answers come by `unchecked`. */
export function namespacesOf(base: string, unchecked: Send) {
  const send: Send = async (url, init) => {
    const answer = await unchecked(url, init);
    const body = await answer.bytes();
    expectDeclared(init.method ?? "GET", url, answer, Buffer.from(body).toString());
    return new Response(body.length > 0 ? body : null, answer);
  };
  const fresh = () => `${base}/v1/kv/${crypto.randomUUID()}`;
  const put = async (url: string, key: string, body = "v", headers = {}) => {
    expect((await send(`${url}/${key}`, { method: "PUT", body, headers })).status).toBe(204);
  };
  const putAll = (url: string, keys: string[]) => Promise.all(keys.map((key) => put(url, key, key)));
  const list = async (url: string, query = ""): Promise<Listed> => {
    const answer = await send(`${url}?${query}`, {});
    expect(answer.status).toBe(200);
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    return (await answer.json()) as Listed;
  };
  /** All pages, with the number of them. */
  const walk = async (url: string, query: string) => {
    const [keys, prefixes]: [unknown[], unknown[]] = [[], []];
    let cursor = "";
    for (let pages = 1; ; pages++) {
      const page = await list(url, `${query}${cursor && `&cursor=${cursor}`}`);
      keys.push(...keysOf(page));
      prefixes.push(...(page.prefixes ?? []));
      if (page.cursor === null) return { keys, prefixes, pages };
      cursor = page.cursor;
    }
  };
  const refusal = async (url: string, init: RequestInit = {}) => {
    const answer = await send(url, init);
    expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
    return [answer.status, ((await answer.json()) as { code: string }).code];
  };
  return { send, fresh, put, putAll, list, walk, refusal };
}
