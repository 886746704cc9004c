// Sockets to a database that answers at several addresses: to each in turn, and for a while to none that has failed.

import { connect, type Socket } from "node:net";
import { readUrl, urlsOf } from "./url.ts";

/** An address is left out for so long after a connection to it has broken, as long as another has not. */
const AVOID_MS = 5_000;
/** Shorter than any NAT or firewall forgets a connection on which nothing is sent. */
const KEEP_ALIVE_MS = 15_000;

interface Address {
  host: string;
  port: number;
  socketPath?: string;
  brokenAt: number;
}

/** Of mysql2: the configuration of one connection, whose host is the one that a certificate must name. */
export interface Connecting {
  config: { host?: string; port?: number };
}

export class Addresses {
  private readonly addresses: Address[];
  private readonly sockets = new Set<Socket>();
  private turn = 0;
  private closing = false;

  constructor(
    urlList: string,
    /** Told when a socket has connected, and when such a one has closed. */
    private readonly onChange: (change: 1 | -1) => void = () => {},
  ) {
    this.addresses = urlsOf(urlList).map((url) => {
      const { host, port, socketPath } = readUrl(url);
      return { host, port, socketPath, brokenAt: Number.NEGATIVE_INFINITY };
    });
  }

  get count(): number {
    return this.addresses.length;
  }

  /** A socket that is about to connect. The connection is told to whom, for TLS. */
  open({ config }: Connecting): Socket {
    const address = this.next();
    const { host, port, socketPath } = address;
    Object.assign(config, { host, port });
    const socket = socketPath === undefined ? connect(port, host) : connect(socketPath);
    if (socketPath === undefined) {
      socket.setNoDelay(true);
      // An address at which nobody answers any more is told by what is sent to it without an answer.
      socket.on("connect", () => socket.setKeepAlive(true, KEEP_ALIVE_MS));
    }
    this.sockets.add(socket);
    let isConnected = false;
    socket.on("connect", () => {
      isConnected = true;
      this.onChange(1);
    });
    // Whoever gives up a connection destroys it, be it because it broke or because nothing came.
    socket.on("close", () => {
      this.sockets.delete(socket);
      if (isConnected) this.onChange(-1);
      if (!this.closing) address.brokenAt = performance.now();
    });
    return socket;
  }

  /** From here on sockets end because they are no longer needed. Resolves when all of them have. */
  async close() {
    this.closing = true;
    await Promise.all([...this.sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }

  private next(): Address {
    const after = [...this.addresses.slice(this.turn), ...this.addresses.slice(0, this.turn)];
    const address = after.find(({ brokenAt }) => performance.now() - brokenAt > AVOID_MS) ?? longestAgo(after);
    this.turn = (this.addresses.indexOf(address) + 1) % this.addresses.length;
    return address;
  }
}

function longestAgo(addresses: Address[]): Address {
  return addresses.reduce((best, each) => (each.brokenAt < best.brokenAt ? each : best));
}
