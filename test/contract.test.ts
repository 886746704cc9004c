// The HTTP contract, on every runtime and every database.

import { describe, expect } from "bun:test";
import { describeBatches } from "../src/http/contract/batches.ts";
import { describeLists } from "../src/http/contract/lists.ts";
import { describeContract } from "../src/http/contract/suite.ts";
import { call, exceptOnWorker, freshKeyUrl, SERVERS, targets } from "./targets.ts";

describe.each(SERVERS)("contract on %s", (server) => {
  const base = targets[server].url;
  describeContract(server, base);
  describeLists(server, base, fetch);
  describeBatches(server, base, fetch);

  exceptOnWorker(server)("an empty precondition is refused", async () => {
    const url = freshKeyUrl(base);
    expect((await call(url, { method: "PUT", headers: { "If-None-Match": "" }, body: "v" })).status).toBe(400);
    expect((await call(url)).status).toBe(404);
  });
});
