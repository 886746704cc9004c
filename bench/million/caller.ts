// One of the processes that hold calls in flight: thousands of connections to one server, and on each of them a call that
// waits for its answer. Told what to do by messages, and does nothing by itself.

import type { Socket, SocketHandler } from "bun";
import { ResponseReader } from "../load/http-response.ts";
import { isWrite, keyOf, valueUnder, writtenKeyOf } from "./entries.ts";

/** What a caller is started with. */
export interface CallerOptions {
  hostname: string;
  port: number;
  /** How many connections, which are numbered from `first` on among those of all callers. */
  connections: number;
  first: number;
}

/**
 * `open`s all connections; `call`s on each, again and again until it is told to `finish` what is under way; `check`s each
 * key that it has written; `count`s what is under way. Each is answered by a `Told`.
 */
export type Order = "open" | "call" | "finish" | "check";

export interface Told {
  order: Order;
  /** Connections that are open, or calls that are under way on them. */
  count: number;
  answered: number;
  wrong: number;
  /** What went wrong first. */
  problem?: string;
}

/** Towards one server from one address: more make each search for a free port long. */
const CONNECTIONS_PER_ADDRESS = 2_000;
const OPENING_AT_ONCE = 64;

interface Held {
  number: number;
  socket: Socket<Held> | undefined;
  /** What it waits for. */
  expects: "value" | "written" | "nothing";
  key: string;
  /** An answer that has not come as a whole. */
  partial: Buffer | undefined;
}

const options: CallerOptions = JSON.parse(process.argv[2] as string);
const reader = new ResponseReader();
const all: Held[] = [];
let isCalling = false;
let open = 0;
let underWay = 0;
let answered = 0;
let wrong = 0;
let problem: string | undefined;
let onChange = () => {};

function failed(what: string) {
  wrong += 1;
  problem ??= what;
}

function send(held: Held, call: "get" | "put" | "check") {
  const { number } = held;
  held.key = call === "get" ? keyOf(number) : writtenKeyOf(number);
  held.expects = call === "put" ? "written" : "value";
  const head = `${call === "put" ? "PUT" : "GET"} /v1/kv/bench/${held.key} HTTP/1.1\r\nHost: bench\r\n`;
  const text =
    call === "put"
      ? `${head}Content-Length: ${valueUnder(held.key).length}\r\n\r\n${valueUnder(held.key)}`
      : `${head}\r\n`;
  // A request is far smaller than a socket's buffer, which is empty.
  if (held.socket?.write(text) !== text.length) failed("a request was not sent as a whole");
  underWay += 1;
}

function answeredBy(held: Held, chunk: Buffer) {
  const bytes = held.partial ? Buffer.concat([held.partial, chunk]) : chunk;
  if (!reader.feed(bytes)) {
    reader.reset();
    held.partial = Buffer.from(bytes);
    return;
  }
  held.partial = undefined;
  const { status, bodyStart, bodyEnd } = reader;
  const isRight =
    held.expects === "value"
      ? status === 200 && bytes.toString("latin1", bodyStart, bodyEnd) === valueUnder(held.key)
      : held.expects === "written" && status === 204;
  if (!isRight) failed(`${status} ${bytes.toString("latin1", bodyStart, Math.min(bodyEnd, bodyStart + 200))}`);
  held.expects = "nothing";
  answered += 1;
  underWay -= 1;
  if (isCalling) send(held, isWrite(held.number) ? "put" : "get");
  onChange();
}

/** One object for all sockets. */
const HANDLERS: SocketHandler<Held> = {
  open(socket) {
    socket.data.socket = socket;
    open += 1;
    onChange();
  },
  data: (socket, chunk) => answeredBy(socket.data, chunk),
  close({ data }) {
    failed(`a connection was closed while it waited for ${data.expects}`);
    open -= 1;
    onChange();
  },
  error: (_, error) => failed(String(error)),
};

async function openAll() {
  const { hostname, port, connections, first } = options;
  const addresses = Math.ceil(connections / CONNECTIONS_PER_ADDRESS);
  // Its own part of the loopback network.
  const network = 1 + Math.floor(first / connections);
  let next = 0;
  const work = async () => {
    while (next < connections) {
      const index = next++;
      const held: Held = { number: first + index, socket: undefined, expects: "nothing", key: "", partial: undefined };
      all.push(held);
      const where = { hostname, port, localAddress: `127.0.${network}.${1 + (index % addresses)}` };
      await Bun.connect({ ...where, data: held, socket: HANDLERS });
    }
  };
  await Promise.all(Array.from({ length: OPENING_AT_ONCE }, work));
}

/** Resolves once it is so. */
function until(isSo: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    onChange = () => {
      if (!isSo()) return;
      onChange = () => {};
      resolve();
    };
    onChange();
  });
}

async function obey(order: Order) {
  if (order === "open") await openAll();
  if (order === "call") {
    isCalling = true;
    for (const held of all) send(held, isWrite(held.number) ? "put" : "get");
  }
  if (order === "finish") {
    isCalling = false;
    await until(() => underWay === 0 || open === 0);
  }
  if (order === "check") {
    for (const held of all) if (isWrite(held.number)) send(held, "check");
    await until(() => underWay === 0 || open === 0);
  }
  const told: Told = { order, count: order === "open" ? open : underWay, answered, wrong, problem };
  process.send?.(told);
}

process.on("message", (order: Order) => {
  obey(order).catch((error) => {
    failed(String(error));
    process.send?.({ order, count: open, answered, wrong, problem } satisfies Told);
  });
});
process.on("disconnect", () => process.exit());
