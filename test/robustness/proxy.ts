// Stands between a server and vtgate, and now and then breaks a connection when vtgate has answered a write, before the
// server has heard so: a write whose outcome is unknown, which no kill of a process gives as surely. Whatever the server
// sends next is held back a little, so that others can write meanwhile.

import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** One write in so many. */
const CUT_ONE_IN = 15;
const HELD_BACK_MS = 150;
/** MySQL's packet: three bytes of length, a number, then the command; this one is a query. */
const COMMAND_AT = 4;
const COM_QUERY = 3;

export class CuttingProxy {
  cuts = 0;
  private writes = 0;
  private held = Promise.resolve<unknown>(undefined);
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  constructor(private readonly target: { host: string; port: number }) {
    this.server = createServer((client) => this.join(client));
  }

  /** Its port on the loopback. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return (this.server.address() as { port: number }).port;
  }

  close() {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private join(client: Socket) {
    const upstream = connect(this.target);
    let cutting = false;
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", async (chunk: Buffer) => {
      const isCut = this.isCut(chunk);
      await this.held;
      cutting = cutting || isCut;
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (!cutting) return client.write(chunk);
      this.cuts += 1;
      this.held = sleep(HELD_BACK_MS);
      client.destroy();
    });
  }

  private isCut(chunk: Buffer): boolean {
    const isWrite = chunk[COMMAND_AT] === COM_QUERY && /^\s*insert/i.test(chunk.toString("latin1", COMMAND_AT + 1, 40));
    if (isWrite) this.writes += 1;
    return isWrite && this.writes % CUT_ONE_IN === 0;
  }
}
