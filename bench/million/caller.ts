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
 * key that it has written. Each is answered by a `Told`.
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
const RETRY_MS = 50;
/** The first call of each connection, by whose answer it is known to have been accepted. */
const WELCOME = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

interface Held {
  number: number;
  socket: Socket<Held> | undefined;
  /** What it waits for. */
  expects: "value" | "written" | "welcome" | "nothing";
  key: string;
  /** An answer that has not come as a whole. */
  partial: Buffer | undefined;
}

const options: CallerOptions = JSON.parse(process.argv[2] as string);
const reader = new ResponseReader();
const all: Held[] = [];
let missing: Held[] = [];
const onWelcome = new Map<Held, () => void>();
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
  const head = `${call === "put" ? "PUT" : "GET"} /v1/kv/bench/${held.key} HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
  const text =
    call === "put"
      ? `${head}Content-Length: ${valueUnder(held.key).length}\r\n\r\n${valueUnder(held.key)}`
      : `${head}\r\n`;
  // A request is far smaller than a socket's buffer, which is empty.
  if (held.socket?.write(text) !== text.length) failed("a request was not sent as a whole");
  underWay += 1;
}

function answeredBy(held: Held, chunk: Buffer) {
  if (held.expects === "welcome") {
    held.expects = "nothing";
    open += 1;
    onWelcome.get(held)?.();
    return;
  }
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
    socket.data.expects = "welcome";
    socket.write(WELCOME);
  },
  data: (socket, chunk) => answeredBy(socket.data, chunk),
  close({ data }) {
    // A listener whose backlog is full lets go of what it has taken.
    if (data.expects === "welcome") {
      missing.push(data);
      onWelcome.get(data)?.();
      return;
    }
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
  for (let index = 0; index < connections; index++) {
    all.push({ number: first + index, socket: undefined, expects: "nothing", key: "", partial: undefined });
  }
  missing = all.toReversed();
  const work = async () => {
    for (let held = missing.pop(); held; held = missing.pop()) {
      const localAddress = `127.0.${network}.${1 + (held.number % addresses)}`;
      try {
        const welcome = new Promise<void>((resolve) => onWelcome.set(held as Held, resolve));
        await Bun.connect({ hostname, port, localAddress, data: held, socket: HANDLERS } as never);
        // Else the next would come faster than they are accepted.
        await welcome;
        onWelcome.delete(held);
      } catch {
        missing.push(held);
        await Bun.sleep(RETRY_MS);
      }
    }
  };
  while (open < connections) {
    await Promise.all(Array.from({ length: OPENING_AT_ONCE }, work));
    await Bun.sleep(RETRY_MS);
  }
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
