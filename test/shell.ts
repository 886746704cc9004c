// For tests of the command line: the real program as a process, over the model server on a socket.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type ModelServer, modelServer } from "../src/client/testing/server.ts";

const PROGRAM = join(import.meta.dirname, "../src/cli/kv.ts");

interface Ended {
  code: number;
  /** Standard output, as text and as it came. */
  out: string;
  bytes: Buffer;
  /** Standard error. */
  told: string;
}

interface Started {
  process: ReturnType<typeof spawn>;
  ended: Promise<Ended>;
}

export interface Shell {
  server: ModelServer;
  url: string;
  /** Runs `kv` with these arguments to its end. */
  kv: (args: string[], more?: { input?: string | Uint8Array; env?: Record<string, string> }) => Promise<Ended>;
  /** Begins to, with standard input open; standard output may be a file. */
  start: (args: string[], env?: Record<string, string>, output?: number) => Started;
  stop: () => Promise<void>;
}

export function openShell(options?: Parameters<typeof modelServer>[0]): Shell {
  const server = modelServer(options);
  const listener = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => server.answer(request) });
  const url = listener.url.href;

  function start(args: string[], env: Record<string, string> = {}, output?: number): Started {
    const started = spawn(process.execPath, [PROGRAM, ...args], {
      env: { PATH: process.env.PATH, KV_URL: url, ...env },
      stdio: ["pipe", output ?? "pipe", "pipe"],
    });
    // Whoever does not read its input is no fault of the test's.
    started.stdin?.on("error", () => {});
    const [out, told]: Buffer[][] = [[], []];
    started.stdout?.on("data", (chunk) => out?.push(chunk));
    started.stderr?.on("data", (chunk) => told?.push(chunk));
    const ended = once(started, "close").then(([code, signal]): Ended => {
      const bytes = Buffer.concat(out ?? []);
      return { code: signal ? -1 : code, bytes, out: bytes.toString(), told: Buffer.concat(told ?? []).toString() };
    });
    return { process: started, ended };
  }
  return {
    ...{ server, url, start },
    kv(args, { input, env } = {}) {
      const started = start(args, env);
      started.process.stdin?.end(input);
      return started.ended;
    },
    stop: () => listener.stop(true),
  };
}
