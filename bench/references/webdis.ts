// webdis over Redis, which acknowledges a write when it is on disk.

import { writeFileSync } from "node:fs";
import { LOOPBACK } from "../../vitess/topology/topology.ts";
import { findWebdis } from "../parts.ts";
import { versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { putKeys, type System, urlLoads, VALUE, VALUE_BYTES } from "../system.ts";

export async function startWebdis(rig: Rig, name: string, connections: number): Promise<System> {
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
    answerBytes: VALUE_BYTES,
    versions: { redis: versionOf(parts.redis, /v=(\S+)/) },
    ...urlLoads(rig, connections, "webdis", {
      get: (key) => `${base}/GET/${key}`,
      put: (key) => `${base}/SET/${key}`,
    }),
  };
}
