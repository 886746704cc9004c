// webdis over Redis, which acknowledges a write when it is on disk.

import { writeFileSync } from "node:fs";
import { LOOPBACK } from "../../vitess/topology/topology.ts";
import { httpLoad } from "../generators.ts";
import { findWebdis } from "../parts.ts";
import { versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { keyGroups, linesFile, putKeys, type System, urlLoads, VALUE, VALUE_BYTES } from "../system.ts";

/** Each of its calls is for `keys` keys, by MGET and MSET if they are several. */
export async function startWebdis(rig: Rig, name: string, connections: number, keys = 1): Promise<System> {
  const parts = await findWebdis(rig.signal);
  const redis = await rig.startReference("redis", 1, ([port], dir) => ({
    file: parts.redis,
    args: [
      ...["--bind", LOOPBACK, "--port", String(port), "--dir", dir],
      ...["--appendonly", "yes", "--appendfsync", "always", "--save", ""],
    ],
  }));
  const webdis = await rig.startReference("webdis", 1, ([port], dir) => {
    const config = `${dir}/webdis.json`;
    const settings = {
      redis_host: LOOPBACK,
      redis_port: redis.ports[0],
      http_host: LOOPBACK,
      http_port: port,
      // What the webdis.json that it comes with has.
      threads: 5,
      pool_size: 20,
      daemonize: false,
      database: 0,
      verbosity: 2,
      logfile: `${dir}/webdis.log`,
    };
    writeFileSync(config, JSON.stringify(settings));
    return { file: parts.webdis, args: [config] };
  });
  const base = `http://${LOOPBACK}:${webdis.ports[0]}`;
  await putKeys((key) => new Request(`${base}/SET/${key}`, { method: "PUT", body: VALUE }), rig.signal);
  return {
    name,
    connections,
    processes: { webdis: [webdis.pid], redis: [redis.pid] },
    answerBytes: keys * VALUE_BYTES,
    versions: { redis: versionOf(parts.redis, /v=(\S+)/) },
    ...(keys === 1
      ? urlLoads(rig, connections, "webdis", {
          get: (key) => `${base}/GET/${key}`,
          put: (key) => `${base}/SET/${key}`,
        })
      : await manyLoads(rig, connections, base, keys)),
  };
}

async function manyLoads(rig: Rig, connections: number, base: string, keys: number) {
  const groups = keyGroups(keys);
  const file = linesFile(
    rig,
    "webdis-mget.urls",
    groups.map((group) => `${base}/MGET/${group.join("/")}`),
  );
  // A command that is longer than a URL may be is the body of a POST.
  const mset = (group: string[]) => ["MSET", ...group.flatMap((key) => [key, VALUE])].join("/");
  const body = { linesOf: linesFile(rig, "webdis-mset.bodies", groups.map(mset)) };
  // It answers 200 to a command that Redis refuses, too.
  const answer = await fetch(base, { method: "POST", body: mset(groups[0] as string[]), signal: rig.signal });
  const text = await answer.text();
  if (!text.includes('"OK"')) throw new Error(`MSET was answered with ${answer.status}: ${text}`);
  return {
    get: (seconds: number) => httpLoad({ connections, seconds, url: { file } }, rig.signal),
    put: (seconds: number) => httpLoad({ connections, seconds, method: "POST", url: base, body }, rig.signal),
  };
}
