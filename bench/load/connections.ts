// Keep-alive connections to the server with one call at a time on each: opened at a bounded pace, and opened again
// when they break.

import type { Socket, SocketHandler } from "bun";
import { Operation } from "./checker.ts";
import { ResponseReader } from "./http-response.ts";

/** No other method begins with it. */
const H = 0x48;

const RETRY_MS = { first: 50, most: 2000 };

/**
 * An address has 28,000 ports towards one server, but where the local address is given they are searched one by one,
 * so that opening takes ever longer when more than a part of them is taken. Several simulators share the addresses.
 */
const CONNECTIONS_PER_ADDRESS = 1000;

/** So few that several simulators at once stay below a listener's usual backlog of 512. */
const OPENING_AT_ONCE = 64;

interface Server {
  hostname: string;
  port: number;
}

export interface ConnectionOptions {
  /** Connections are spread over them. */
  servers: Server[];
  /** Local addresses to connect from, 127.0.0.1 onwards. */
  addresses: number;
}

export function connectionOptions(urls: string[], connections: number): ConnectionOptions {
  const servers = urls.map((url) => {
    const { hostname, port } = new URL(url);
    return { hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) };
  });
  const addresses = Math.ceil(Math.min(connections / CONNECTIONS_PER_ADDRESS, 254));
  return { servers, addresses };
}

export interface ConnectionEvents {
  /** It is open and free for its first call. */
  ready(connection: Connection): void;
  /** The answer to its call is in its reader. */
  answered(connection: Connection): void;
  /** It broke, in the middle of a call if `busy`; it is being opened again. */
  broken(connection: Connection, busy: boolean, reason: string): void;
}

export class Connection {
  readonly reader = new ResponseReader();
  readonly op = new Operation();
  socket: Socket<Connection> | undefined;
  /** Whether a call is under way on it. */
  busy = false;
  /** When its call should have begun: with a fixed rate that may be earlier than it did. */
  intendedMs = 0;
  unsent: Buffer | undefined;
  /** Waits for a call, of a fixed rate; or for Retry-After to pass. */
  idle = false;
  paused = false;
  failures = 0;
  breakReason = "closed by the server";
  /** Not wanted any more. */
  retired = false;

  constructor(
    readonly pool: Connections,
    readonly index: number,
  ) {}

  /** Sends a request, whose buffer may be reused afterwards. */
  send(request: Buffer) {
    this.busy = true;
    this.reader.toHead = request[0] === H;
    const sent = (this.socket as Socket<Connection>).write(request);
    if (sent < request.length) this.unsent = Buffer.from(request.subarray(Math.max(sent, 0)));
  }

  /** Gives up on its call, if any, and opens it again. */
  cut(reason: string) {
    this.breakReason = reason;
    this.socket?.terminate();
  }
}

export class Connections {
  /** How many are open. */
  open = 0;
  readonly all: Connection[] = [];
  private opening = 0;
  private waiting: Connection[] = [];

  constructor(
    private readonly options: ConnectionOptions,
    private readonly events: ConnectionEvents,
  ) {}

  /** Opens or closes connections until there are `count`. */
  resize(count: number) {
    for (const connection of this.all.splice(count)) {
      connection.retired = true;
      // A reset, since a port of an orderly end is blocked for a minute, and the next run wants it.
      connection.socket?.terminate();
    }
    while (this.all.length < count) {
      const connection = new Connection(this, this.all.length);
      this.all.push(connection);
      this.waiting.push(connection);
    }
    this.openMore();
  }

  private openMore() {
    const { servers, addresses } = this.options;
    while (this.opening < OPENING_AT_ONCE) {
      const connection = this.waiting.pop();
      if (!connection) return;
      if (connection.retired) continue;
      this.opening += 1;
      const server = servers[connection.index % servers.length] as Server;
      const options = {
        ...server,
        // Bun binds to a local address, which its types don't mention.
        ...(addresses > 1 &&
          server.hostname.startsWith("127.") && { localAddress: `127.0.0.${1 + (connection.index % addresses)}` }),
        data: connection,
        socket: HANDLERS,
      };
      Bun.connect(options).catch(() => {});
    }
  }

  private later(connection: Connection) {
    const delayMs = Math.min(RETRY_MS.first * 2 ** connection.failures++, RETRY_MS.most) * (0.5 + Math.random());
    setTimeout(() => {
      this.waiting.push(connection);
      this.openMore();
    }, delayMs);
  }

  opened(connection: Connection, socket: Socket<Connection>) {
    this.opening -= 1;
    this.openMore();
    connection.socket = socket;
    this.open += 1;
    if (connection.retired) return socket.terminate();
    this.events.ready(connection);
  }

  failed(connection: Connection) {
    this.opening -= 1;
    this.later(connection);
    this.openMore();
  }

  closed(connection: Connection) {
    const { busy, retired } = connection;
    if (!connection.socket) return;
    connection.socket = undefined;
    this.open -= 1;
    connection.busy = false;
    connection.unsent = undefined;
    connection.reader.reset();
    const reason = connection.breakReason;
    connection.breakReason = "closed by the server";
    if (!retired) this.later(connection);
    if (busy || !retired) this.events.broken(connection, busy, reason);
  }

  received(connection: Connection, chunk: Buffer) {
    if (!connection.busy) return connection.cut("unasked bytes");
    let whole: boolean;
    try {
      whole = connection.reader.feed(chunk);
    } catch (error) {
      return connection.cut((error as Error).message);
    }
    if (!whole) return;
    connection.busy = false;
    connection.failures = 0;
    this.events.answered(connection);
  }
}

/** One object for all sockets: making them anew for each would cost memory. */
const HANDLERS: SocketHandler<Connection> = {
  open: (socket) => socket.data.pool.opened(socket.data, socket),
  data: (socket, chunk) => socket.data.pool.received(socket.data, chunk),
  drain(socket) {
    const { unsent } = socket.data;
    if (!unsent) return;
    const sent = Math.max(socket.write(unsent), 0);
    socket.data.unsent = sent < unsent.length ? unsent.subarray(sent) : undefined;
  },
  close: (socket) => socket.data.pool.closed(socket.data),
  end: (socket) => {
    socket.end();
  },
  connectError: (socket) => socket.data.pool.failed(socket.data),
  error: (_, error) => {
    throw error;
  },
};
