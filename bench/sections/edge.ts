// A Worker that is far from the database: forwarding to a server beside it, against its own statements at vtgate.

import { VITESS_VERSION } from "../../vitess/topology/topology.ts";
import { clusterGroups } from "../cpu.ts";
import { find, measureAll } from "../measure.ts";
import { findOha } from "../parts.ts";
import { delayedWayTo, type Relay, ROUND_TRIP_MS } from "../relay.ts";
import { type Findings, figure, packageVersion, table, versionOf } from "../report.ts";
import type { Rig } from "../rig.ts";
import { KEYS, OPERATIONS, type Operation, putKeys, type System, urlLoads, VALUE, VALUE_BYTES } from "../system.ts";

const CONNECTIONS = [1, 64, 256];
const NAMES = { forwarding: "forwards to a server", direct: "asks vtgate" };

/** Of the way to the region, while a load was measured. */
interface Way {
  opened: number;
  mostOpen: number;
}

export async function edge(rig: Rig): Promise<Findings> {
  const oha = await findOha(rig.signal);
  const cluster = await rig.cluster();
  const server = await rig.startServer();
  const keyUrl = (base: string) => (key: string) => `${base}/v1/kv/bench/${key}`;
  await putKeys((key) => new Request(keyUrl(server.url)(key), { method: "PUT", body: VALUE }), rig.signal);
  const relays = [await delayedWayTo(Number(new URL(server.url).port)), await delayedWayTo(cluster.vtgates[0].port)];
  const [toServer, toVtgate] = relays as [Relay, Relay];
  try {
    const databaseUrl = Object.assign(new URL(cluster.vtgates[0].url), { port: String(toVtgate.port) }).href;
    const workers = {
      forwarding: await rig.startWorkerd(databaseUrl, `http://127.0.0.1:${toServer.port}`),
      direct: await rig.startWorkerd(databaseUrl),
    };
    const ways = new Map<string, Way>();
    const systemOf = (kind: keyof typeof NAMES, relay: Relay, connections: number): System => {
      const { url, pid } = workers[kind];
      const loads = urlLoads(rig, connections, `edge-${kind}-${connections}`, { get: keyUrl(url), put: keyUrl(url) });
      const watched = (operation: Operation) => async (seconds: number) => {
        const before = relay.accepted();
        relay.mostOpen();
        const load = await loads[operation](seconds);
        // The last time, which is the measured one, counts.
        const way = { opened: relay.accepted() - before, mostOpen: relay.mostOpen() };
        ways.set(wayOf(NAMES[kind], connections, operation), way);
        return load;
      };
      return {
        ...{ name: NAMES[kind], connections, versions: {}, answerBytes: VALUE_BYTES },
        processes: { worker: [pid], server: [server.pid], ...clusterGroups(cluster) },
        ...{ get: watched("get"), put: watched("put") },
      };
    };
    const measured = await measureAll(
      rig,
      CONNECTIONS.flatMap((connections) => [
        systemOf("forwarding", toServer, connections),
        systemOf("direct", toVtgate, connections),
      ]),
    );
    const rows = CONNECTIONS.flatMap((connections) =>
      Object.values(NAMES).map((name) => [
        `${name}, ${connections}`,
        ...OPERATIONS.flatMap((operation) => {
          const found = find(measured, name, operation, connections);
          const way = ways.get(wayOf(name, connections, operation));
          return [found?.perSecond, found?.p50Ms, way?.opened, way?.mostOpen].map(figure);
        }),
      ]),
    );
    const columns = OPERATIONS.flatMap((operation) => {
      const title = operation.toUpperCase();
      return [`${title}/s`, `p50 ms`, `opened`, `open at once`];
    });
    return {
      versions: {
        vitess: VITESS_VERSION,
        workerd: packageVersion("workerd"),
        oha: versionOf(oha, /oha (\S+)/),
      },
      method: `Our Worker in workerd, with a way of ${ROUND_TRIP_MS} ms (there and back, and once more to open a connection) to one server, or to vtgate. The way is a relay that holds every packet back, because this kernel has no netem. ${figure(KEYS)} keys, values of ${VALUE_BYTES} bytes, so many callers as the first column says, each measured for ${rig.options.seconds} s after ${rig.options.warmupSeconds} s of warm-up. "opened" are connections over that way in this time, and "open at once" the most of them. Every answer was a success.`,
      data: { measured, ways: Object.fromEntries(ways) },
      markdown: [
        table(["The Worker, callers", ...columns], rows),
        "Without Hyperdrive, which can't be had here, a Worker that asks vtgate opens a connection for each call. Hyperdrive would keep them open near the database, and save the round trips of opening but not those of statements. When a warm-up ends, all of its callers go away at once; those who waited with them then send singly, on connections that stay open and are counted here.",
      ].join("\n\n"),
    };
  } finally {
    await Promise.all(relays.map((relay) => relay.close()));
  }
}

const wayOf = (name: string, connections: number, operation: Operation) => `${operation} ${name}, ${connections}`;
