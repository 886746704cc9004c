// Calls of several files at one path.

import { expect, test } from "bun:test";
import { callsOf, type Handler, type Operations, openPaths, serve } from "./operation.ts";
import { ALL_RIGHTS } from "./rights.ts";

const described = { path: "/v1/kv/{ns}/{key}", summary: "", answers: {} };
const reading = { read: { ...described, method: "GET", open: "not on Workers" } } satisfies Operations;
const writing = {
  write: { ...described, method: "PUT" },
  unserved: { ...described, method: "DELETE" },
} satisfies Operations;

const calls = [
  ...callsOf(reading, { read: () => new Response("read") }),
  ...callsOf(writing, { write: () => new Response("written") }),
];

test("are served by one handler, which knows all methods of the path", async () => {
  const routes = new Map<string, Handler>();
  serve((path, handle) => routes.set(path, handle), calls);
  expect([...routes.keys()]).toEqual(["/v1/kv/:ns/:key"]);
  const ask = async (method: string) =>
    (await routes.get("/v1/kv/:ns/:key")?.(new Request("http://kv/", { method }), ALL_RIGHTS)) as Response;
  expect(await (await ask("GET")).text()).toBe("read");
  expect(await (await ask("HEAD")).text()).toBe("read");
  expect(await (await ask("PUT")).text()).toBe("written");
  const refused = await ask("DELETE");
  expect([refused.status, refused.headers.get("Allow")]).toEqual([405, "GET, HEAD, PUT"]);
});

test("tell which paths are open", () => {
  expect([...openPaths(calls)]).toEqual(["/v1/kv/{ns}/{key}"]);
  expect([...openPaths(calls, true)]).toEqual([]);
});
