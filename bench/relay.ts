// A way to a server that takes time, as one through a wide area network does, where the kernel can't delay packets (netem).

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Whatever is sent arrives so much later. */
const ONE_WAY_MS = 15;
export const ROUND_TRIP_MS = 2 * ONE_WAY_MS;

export interface Relay {
  port: number;
  /** Connections so far, and the most that were open at once since the last look. */
  accepted: () => number;
  mostOpen: () => number;
  close: () => Promise<void>;
}

/** Leads to a port of this machine. Opening a connection takes a round trip, as TCP's handshake does. */
export async function delayedWayTo(targetPort: number): Promise<Relay> {
  const open = new Set<Socket>();
  let accepted = 0;
  let most = 0;
  const server = createServer({ noDelay: true }, (client) => {
    accepted += 1;
    open.add(client);
    most = Math.max(most, open.size);
    const upstream = connect(targetPort, "127.0.0.1").setNoDelay();
    const openAt = performance.now() + ROUND_TRIP_MS;
    client.on("close", () => open.delete(client));
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      const later = inOrder(() => Math.max(openAt, performance.now()) + ONE_WAY_MS);
      from.on("data", (chunk) => later(() => to.write(chunk)));
      from.on("close", () => later(() => to.destroy()));
      from.on("error", () => {});
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    mostOpen: () => {
      const seen = most;
      most = open.size;
      return seen;
    },
    close: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, "close");
    },
  };
}

/** Does things at the times that it is told when it gets them, one after the other. */
function inOrder(dueAt: () => number): (work: () => void) => void {
  const waiting: { at: number; work: () => void }[] = [];
  const drain = () => {
    while (waiting[0] && waiting[0].at <= performance.now()) waiting.shift()?.work();
    if (waiting[0]) setTimeout(drain, Math.max(1, waiting[0].at - performance.now()));
  };
  return (work) => {
    waiting.push({ at: dueAt(), work });
    if (waiting.length === 1) drain();
  };
}
