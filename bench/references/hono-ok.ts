// The least that Hono on Bun can do, as a measure of what HTTP itself costs: answers "ok".

import { Hono } from "hono";

const app = new Hono().get("/", (c) => c.text("ok"));
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: app.fetch });
console.log(JSON.stringify({ url: server.url.href, msg: "serving" }));
