// `consistency=eventual`: what a replica has by now, which may be old, and nothing is decided on it.

import { afterEach, describe, expect, test } from "bun:test";
import { createConnection } from "mysql2/promise";
import { EVENTUAL_MS } from "../src/terms/beats.ts";
import { scrape } from "./scrape.ts";
import { call, freshKeyUrl, targets, until } from "./targets.ts";

/** For a machine that is busy with other things. */
const SLACK_MS = 10_000;

const { url: base, status } = targets.vitess;
const replicas = status.tablets.filter(({ role }) => role === "replica");

/** On every replica: what they receive, so that commits are acknowledged, is applied or not. */
async function applying(command: "START" | "STOP") {
  for (const { mysqlSocket } of replicas) {
    const connection = await createConnection({ socketPath: mysqlSocket, user: "root" });
    await connection.query(`${command} REPLICA SQL_THREAD`);
    await connection.end();
  }
}

afterEach(() => applying("START"));

/** Has replicas asked, of all shards, until each can tell how far behind it is: then the primaries are asked for nothing. */
async function warm(namespace: string) {
  const ofPrimaries = { tablet: "primary", statement: "scan" };
  const scans = async () => (await scrape(base)).sum("kv_shard_statement_seconds_count", ofPrimaries);
  await until(async () => {
    const before = await scans();
    await call(`${namespace}?consistency=eventual`);
    return (await scans()) === before;
  }, "replicas tell how far behind they are");
}

const read = async (url: string) => (await call(url)).text();

describe("while replicas don't apply what they receive", () => {
  test("an eventual read is old, and every other call is not", async () => {
    const url = freshKeyUrl(base);
    const old = await call(url, { method: "PUT", body: "old" });
    await warm(url.slice(0, url.lastIndexOf("/")));
    await until(async () => (await read(`${url}?consistency=eventual`)) === "old", "replicas have it");
    await applying("STOP");
    const put = await call(url, {
      method: "PUT",
      body: "newer",
      headers: { "If-Match": `${old.headers.get("ETag")}` },
    });
    expect(put.status).toBe(204);

    expect(await read(`${url}?consistency=eventual`)).toBe("old");
    const head = await call(`${url}?consistency=eventual`, { method: "HEAD" });
    expect([head.headers.get("ETag"), head.headers.get("Content-Length")]).toEqual([old.headers.get("ETag"), "3"]);
    const [namespace, key] = [url.slice(0, url.lastIndexOf("/")), url.slice(url.lastIndexOf("/") + 1)];
    const listed = async (query: string) => {
      const page = (await (await call(`${namespace}?prefix=${key}&${query}`)).json()) as {
        entries: { bytes: number }[];
      };
      return page.entries.map(({ bytes }) => bytes);
    };
    expect(await listed("consistency=eventual")).toEqual([3]);
    expect(await listed("consistency=eventual&order=any")).toEqual([3]);

    expect(await read(url)).toBe("newer");
    expect(await listed("consistency=strong")).toEqual([5]);
    // Conditions are decided on the primary's row.
    const stale = await call(url, { method: "PUT", body: "x", headers: { "If-Match": `${old.headers.get("ETag")}` } });
    expect(stale.status).toBe(412);

    await applying("START");
    await until(async () => (await read(`${url}?consistency=eventual`)) === "newer", "replicas have caught up");
  });

  test("what is more than ten seconds old is not answered", async () => {
    const url = freshKeyUrl(base);
    await call(url, { method: "PUT", body: "old" });
    await warm(url.slice(0, url.lastIndexOf("/")));
    await applying("STOP");
    await call(url, { method: "PUT", body: "newer" });
    expect(await read(`${url}?consistency=eventual`)).toBe("old");
    const putAt = performance.now();
    await until(async () => (await read(`${url}?consistency=eventual`)) === "newer", "the primary is asked");
    expect(performance.now() - putAt).toBeLessThan(EVENTUAL_MS + SLACK_MS);
  });

  test("what has expired is gone there too", async () => {
    const url = freshKeyUrl(base);
    await call(`${url}?ttl_ms=1500`, { method: "PUT", body: "v" });
    await until(async () => (await read(`${url}?consistency=eventual`)) === "v", "replicas have it");
    await applying("STOP");
    await Bun.sleep(1_600);
    expect((await call(`${url}?consistency=eventual`)).status).toBe(404);
    expect((await call(`${url}/ttl?consistency=eventual`)).status).toBe(404);
  });
});
