// Random commands on a real redis-server and on the REST interface: the same answers, errors and times. Many sequences on
// the interface over the model store, in this process, and some on the real cluster.

import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import pino from "pino";
import { createApp } from "../src/app.ts";
import { ModelStore } from "../src/store/model.ts";
import { isSame, sequence } from "./redis/commands.ts";
import { type Answer, type RedisServer, type Result, startRedis } from "./redis/server.ts";
import { call, targets } from "./targets.ts";

const OVER_MODEL = 10_000;
const OVER_CLUSTER = 200;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
}, 120_000);
afterAll(() => redis?.stop());

type Send = (path: string, init: RequestInit) => Response | Promise<Response>;

/** Sends a sequence as a pipeline to both, and tells where they differ. */
async function differences(commands: string[][], namespace: string, send: Send): Promise<object[]> {
  const [answer, [, ...theirs]] = await Promise.all([
    send(`/redis/${namespace}/pipeline`, {
      method: "POST",
      headers: { "Upstash-Encoding": "base64" },
      body: JSON.stringify(commands),
    }),
    // Bytes are characters there.
    redis.send([["FLUSHALL"], ...commands.map((words) => words.map((word) => Buffer.from(word).toString("latin1")))]),
  ]);
  const ours = ((await answer.json()) as Answer[]).map(decoded);
  return theirs.flatMap((answer, i) => {
    const command = commands[i] as string[];
    return isSame(command, ours[i], answer) ? [] : [{ command, ours: ours[i], theirs: answer, sequence: commands }];
  });
}

function decoded(answer: Answer): Answer {
  return "result" in answer ? { result: bytesIn(answer.result) } : answer;
}

function bytesIn(result: Result): Result {
  if (Array.isArray(result)) return result.map(bytesIn);
  return typeof result === "string" && result !== "OK" ? Buffer.from(result, "base64").toString("latin1") : result;
}

test(`${OVER_MODEL} sequences over the model store`, async () => {
  const log = pino({ level: "silent" });
  const options = {
    maxValueBytes: 1024 * 1024,
    bodyTimeoutMs: 10_000,
    isDraining: () => false,
    isFull: () => false,
    log,
  };
  const property = fc.asyncProperty(sequence, async (commands) => {
    const app = createApp(new ModelStore(() => Date.now()), options);
    expect(await differences(commands, "ns", (path, init) => app.fetch(new Request(`http://kv${path}`, init)))).toEqual(
      [],
    );
  });
  await fc.assert(property, { numRuns: OVER_MODEL });
});

test(`${OVER_CLUSTER} sequences on the cluster`, async () => {
  let namespaces = 0;
  const property = fc.asyncProperty(sequence, async (commands) => {
    const namespace = `differential${process.pid}-${Date.now()}-${namespaces++}`;
    const base = targets.vitess.url.replace(/\/$/, "");
    expect(await differences(commands, namespace, (path, init) => call(base + path, init))).toEqual([]);
  });
  await fc.assert(property, { numRuns: OVER_CLUSTER });
});
