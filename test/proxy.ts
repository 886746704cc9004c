// A way to the database in whose middle the tests stand: it counts connections, can be blocked, and can lose what goes
// over it, which no database does on demand.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

type Loss = "statement" | "answer";

export interface Way {
  /** Leads through it to where `targetUrl` leads. */
  url: string;
  /** Connections so far. */
  accepted: number;
  open: Set<Socket>;
  /** Cuts a connection off that sends a text like this: before the text has arrived, or after it was answered. */
  lose: (text: string, what: Loss, times?: number) => void;
  /** From here on what is open stays open, and nothing gets through any more: a NAT has forgotten it. */
  swallow: () => void;
  /** Keeps the answers back on connections that send a text like this, until the function is called that it gives. */
  hold: (text: string) => () => void;
  /** Losses that are still to come. */
  pending: () => number;
  close: () => Promise<void>;
}

export async function wayTo(targetUrl: string, port = 0): Promise<Way> {
  const target = new URL(targetUrl);
  const open = new Set<Socket>();
  const loss = { text: "", what: "statement" as Loss, times: 0 };
  const held = { text: undefined as string | undefined, answers: [] as (() => void)[] };
  let swallowed = 0;
  const server = createServer((client) => {
    way.accepted += 1;
    const upstream = connect(Number(target.port), target.hostname);
    let isLost = false;
    let isHeld = false;
    const number = way.accepted;
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (chunk) => {
      if (number <= swallowed) return;
      if (held.text !== undefined && chunk.includes(held.text)) isHeld = true;
      if (loss.times > 0 && chunk.includes(loss.text)) {
        loss.times -= 1;
        if (loss.what === "statement") {
          client.destroy();
          return;
        }
        isLost = true;
      }
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (number <= swallowed) return;
      if (isLost) client.destroy();
      else if (isHeld && held.text !== undefined) held.answers.push(() => client.write(chunk));
      else client.write(chunk);
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const way: Way = {
    url: Object.assign(new URL(target), { port: String((server.address() as AddressInfo).port) }).href,
    accepted: 0,
    open,
    lose: (text, what, times = 1) => Object.assign(loss, { text, what, times }),
    swallow: () => {
      swallowed = way.accepted;
    },
    hold: (text) => {
      held.text = text;
      return () => {
        held.text = undefined;
        for (const answer of held.answers.splice(0)) answer();
      };
    },
    pending: () => loss.times,
    close: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, "close");
    },
  };
  return way;
}
