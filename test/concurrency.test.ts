// Many callers at one key: conditions hold for exactly one, and nobody reads the past.

import { describe, expect, test } from "bun:test";
import { BACKENDS, call, freshKeyUrl, targets } from "./targets.ts";

const CALLERS = 200;
const times = <T>(count: number, work: (i: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => work(i)));

describe.each(BACKENDS)("concurrency on %s", (backend) => {
  const base = targets[backend].url;

  test("of 200 create-only PUTs exactly one creates", async () => {
    const url = freshKeyUrl(base);
    const answers = await times(CALLERS, (i) =>
      call(url, { method: "PUT", headers: { "If-None-Match": "*" }, body: `caller ${i}` }),
    );
    const winners = answers.flatMap((answer, i) => (answer.status === 204 ? [i] : []));
    expect(winners.length).toBe(1);
    expect(answers.filter((answer) => answer.status === 412).length).toBe(CALLERS - 1);
    expect(await (await call(url)).text()).toBe(`caller ${winners[0]}`);
  });

  test("of 200 create-only PUTs of an expired key exactly one creates", async () => {
    const url = freshKeyUrl(base);
    await call(`${url}?expires_at=1`, { method: "PUT", body: "expired" });
    const answers = await times(CALLERS, (i) =>
      call(url, { method: "PUT", headers: { "If-None-Match": "*" }, body: `caller ${i}` }),
    );
    expect(answers.filter((answer) => answer.status === 204).length).toBe(1);
  });

  // Each round one of all wins: 20,000 swaps or so, however long a slow machine takes for them.
  test("200 compare-and-swap increments lose none", { timeout: 600_000 }, async () => {
    const url = freshKeyUrl(base);
    await call(url, { method: "PUT", body: "0" });
    await times(CALLERS, async () => {
      for (;;) {
        const read = await call(url);
        const value = Number(await read.text());
        const tag = read.headers.get("ETag") ?? "";
        const swap = await call(url, { method: "PUT", headers: { "If-Match": tag }, body: String(value + 1) });
        if (swap.status === 204) return;
        expect(swap.status).toBe(412);
      }
    });
    expect(await (await call(url)).text()).toBe(String(CALLERS));
  });

  test("of 200 deletes with the same tag exactly one deletes", async () => {
    const url = freshKeyUrl(base);
    const tag = (await call(url, { method: "PUT", body: "v" })).headers.get("ETag") ?? "";
    const answers = await times(CALLERS, () => call(url, { method: "DELETE", headers: { "If-Match": tag } }));
    expect(answers.filter((answer) => answer.status === 204).length).toBe(1);
  });

  test("of 200 TTLs set with if=nx exactly one is", async () => {
    const url = freshKeyUrl(base);
    await call(url, { method: "PUT", body: "v" });
    const answers = await times(CALLERS, (i) =>
      call(`${url}/ttl?if=nx`, { method: "PUT", body: JSON.stringify({ ttl: 60 + i }) }),
    );
    const set = answers.flatMap((answer, i) => (answer.status === 200 ? [60 + i] : []));
    expect(set.length).toBe(1);
    const { ttl_ms } = (await (await call(`${url}/ttl`)).json()) as { ttl_ms: number };
    expect(ttl_ms).toBeLessThanOrEqual((set[0] as number) * 1000);
    expect(ttl_ms).toBeGreaterThan((set[0] as number) * 1000 - 20_000);
  });

  test("a read that begins after a write was acknowledged sees it, or a later one", async () => {
    const url = freshKeyUrl(base);
    await call(url, { method: "PUT", body: "0" });
    let acknowledged = 0;
    let writing = true;
    const writer = (async () => {
      for (let i = 1; i <= 300; i++) {
        expect((await call(url, { method: "PUT", body: String(i) })).status).toBe(204);
        acknowledged = i;
      }
      writing = false;
    })();
    const readers = times(32, async () => {
      let last = 0;
      while (writing) {
        const floor = Math.max(last, acknowledged);
        last = Number(await (await call(url)).text());
        expect(last).toBeGreaterThanOrEqual(floor);
      }
    });
    await Promise.all([writer, readers]);
  });

  test("a value is never mixed from two writes", async () => {
    const url = freshKeyUrl(base);
    const write = (i: number) =>
      call(`${url}?ttl=${1000 + i}`, {
        method: "PUT",
        headers: { "Content-Type": `text/${i}`, "KV-Metadata": String(i), "If-None-Match": `"${i}"` },
        body: String(i).repeat(5000),
      });
    await write(0);
    await times(8, async (writer) => {
      for (let i = 0; i < 20; i++) {
        await write(writer * 20 + i);
        const read = await call(url);
        const id = read.headers.get("KV-Metadata") ?? "";
        expect(read.headers.get("Content-Type")).toBe(`text/${id}`);
        expect(await read.text()).toBe(id.repeat(5000));
      }
    });
  });
});
