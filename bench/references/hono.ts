// Hono on Bun with nothing behind it: what HTTP itself costs.

import { join } from "node:path";
import { httpLoad } from "../generators.ts";
import type { Rig } from "../rig.ts";
import type { System } from "../system.ts";

export async function startHono(rig: Rig, name: string, connections: number): Promise<System> {
  const { url, pid } = await rig.startScript(join(import.meta.dirname, "hono-ok.ts"));
  return {
    name,
    connections,
    processes: { server: [pid] },
    answerBytes: "ok".length,
    versions: {},
    get: (seconds) => httpLoad({ connections, seconds, url }, rig.signal),
  };
}
