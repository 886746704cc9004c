// A real redis-server, on PATH or out of Debian's package, and a connection that tells its replies apart as they are.

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installDebian } from "../../vitess/install/debian.ts";
import { until } from "../targets.ts";

/** As the REST interface answers it. */
export type Answer = { result: Result } | { error: string };
export type Result = null | number | string | Result[];

export interface RedisServer {
  /** Sends commands at once and returns their answers in order; bytes are characters (latin1). */
  send: (commands: string[][]) => Promise<Answer[]>;
  stop: () => Promise<void>;
}

/** With nothing in it, at a socket of its own, and nothing kept on disk. */
export async function startRedis(): Promise<RedisServer> {
  const program = Bun.which("redis-server") ?? join(await installed(), "bin/redis-server");
  const dir = mkdtempSync(join(tmpdir(), "kv-redis-"));
  const path = join(dir, "redis.sock");
  const server = Bun.spawn([program, "--port", "0", "--unixsocket", path, "--dir", dir, "--save", ""], {
    stdout: "ignore",
    stderr: "ignore",
  });
  const stop = async () => {
    server.kill();
    await server.exited;
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    let socket: Socket | undefined;
    await until(async () => {
      socket = await opened(path);
      return socket !== undefined;
    }, "redis-server answers");
    const connection = new Connection(socket as Socket);
    return {
      send: (commands) => connection.send(commands),
      stop: () => {
        socket?.destroy();
        return stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The same packages as the benchmarks have, so that they are installed once. */
function installed(): Promise<string> {
  const packages = { "redis-server": ["bin/redis-server"], webdis: ["bin/webdis"] };
  return installDebian(packages, new AbortController().signal);
}

async function opened(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return socket;
  } catch {
    return undefined;
  }
}

/** The protocol's second version (RESP2). */
class Connection {
  private readonly waiting: ((answer: Answer) => void)[] = [];
  private text = "";
  private at = 0;

  constructor(private readonly socket: Socket) {
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => {
      this.text = this.text.slice(this.at) + chunk;
      this.at = 0;
      for (let answer = this.next(); answer !== undefined; answer = this.next()) this.waiting.shift()?.(answer);
    });
  }

  send(commands: string[][]): Promise<Answer[]> {
    const texts = commands.map((words) => {
      return `*${words.length}\r\n${words.map((each) => `$${each.length}\r\n${each}\r\n`).join("")}`;
    });
    const answers = commands.map(() => new Promise<Answer>((resolve) => this.waiting.push(resolve)));
    this.socket.write(texts.join(""), "latin1");
    return Promise.all(answers);
  }

  /** Undefined while it is not whole. */
  private next(): Answer | undefined {
    const start = this.at;
    const isError = this.text[start] === "-";
    const result = this.read();
    if (result === undefined) {
      this.at = start;
      return undefined;
    }
    return isError ? { error: String(result) } : { result };
  }

  private read(): Result | undefined {
    const end = this.text.indexOf("\r\n", this.at);
    if (end < 0) return undefined;
    const kind = this.text[this.at];
    const line = this.text.slice(this.at + 1, end);
    this.at = end + 2;
    if (kind === "+" || kind === "-") return line;
    if (kind === ":") return Number(line);
    const size = Number(line);
    if (size < 0) return null;
    if (kind === "$") {
      if (this.text.length < this.at + size + 2) return undefined;
      const text = this.text.slice(this.at, this.at + size);
      this.at += size + 2;
      return text;
    }
    const items: Result[] = [];
    for (let i = 0; i < size; i++) {
      const item = this.read();
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  }
}
