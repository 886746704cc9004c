// Starts processes that outlive this one, finds them again, and stops them: by process id and start time,
// so that a reused id is never mistaken for ours.

import { spawn } from "node:child_process";
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterProblem } from "./problem.ts";

/** The servers refuse to run as root; as root they are started as this user, who then owns the data folder. */
const UNPRIVILEGED = { user: "nobody", uid: 65534, gid: 65534 };
const isRoot = process.getuid?.() === 0;

/** How long what an interrupted command has started may take to stop. */
const GROUP_STOP_MS = 30_000;
/** Of a command's output, the last that is kept. */
const OUTPUT_CHARS = 1_000_000;

export interface Command {
  file: string;
  args: string[];
  cwd?: string;
  env?: Record<string, string>;
}

/** Makes a folder that the servers can write to. */
export function makeDataDir(dir: string) {
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  giveToServers(dir);
}

/** Lets the servers' user own a file. */
export function giveToServers(path: string) {
  if (isRoot) chownSync(path, UNPRIVILEGED.uid, UNPRIVILEGED.gid);
}

/** Writes a file that only the servers' user, and root, can read. */
export function writePrivateFile(path: string, content: string) {
  writeFileSync(path, content, { mode: 0o600 });
  giveToServers(path);
}

function asServerUser({ file, args }: Command): [string, string[]] {
  if (!isRoot) return [file, args];
  const { user, gid } = UNPRIVILEGED;
  return ["setpriv", [`--reuid=${user}`, `--regid=${gid}`, "--clear-groups", "--", file, ...args]];
}

interface RunOptions {
  signal?: AbortSignal;
  /** Called with each line that it prints, as it prints it. */
  onLine?: (line: string) => void;
  /** Keep the invoking user, even root: for installers, which start no server. */
  keepUser?: boolean;
}

/** Runs a command to its end and returns what it printed; when the signal fires, its process group is stopped. */
export async function run(command: Command, options: RunOptions = {}): Promise<string> {
  const { signal: abort, onLine, keepUser } = options;
  abort?.throwIfAborted();
  const [file, args] = keepUser ? [command.file, command.args] : asServerUser(command);
  const child = spawn(file, args, {
    cwd: command.cwd ?? "/",
    detached: true,
    env: { ...process.env, ...command.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const kill = () => child.pid && signal(-child.pid, "SIGTERM");
  abort?.addEventListener("abort", kill);
  const stdout = collect(child.stdout, onLine);
  const stderr = collect(child.stderr, onLine);
  try {
    // "exit" and not "close": a daemon that the command leaves behind may hold its pipes open.
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code) => setImmediate(resolve, code));
    });
    if (abort?.aborted && child.pid) await groupGone(child.pid);
    abort?.throwIfAborted();
    if (code !== 0) {
      const name = command.file.split("/").pop();
      throw new ClusterProblem(`${name} ${command.args[0]} failed:\n${lastLines(stderr() || stdout())}`);
    }
    return stdout();
  } finally {
    abort?.removeEventListener("abort", kill);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** Gives a stream's whole lines to `onLine`, and its text as far as it has come, or the end of it, when asked. */
function collect(stream: Readable, onLine?: (line: string) => void): () => string {
  let output = "";
  let unfinished = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    output = (output + chunk).slice(-OUTPUT_CHARS);
    const lines = (unfinished + chunk).split("\n");
    unfinished = lines.pop() ?? "";
    for (const line of lines) if (line.trim()) onLine?.(line.trim());
  });
  return () => output;
}

/** Signals a process, or a process group by its negative id; false when it is gone. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** Waits until what an interrupted command started has ended too. */
async function groupGone(leader: number) {
  const deadline = Date.now() + GROUP_STOP_MS;
  while (groupRuns(leader)) {
    if (Date.now() > deadline) signal(-leader, "SIGKILL");
    await sleep(50);
  }
}

/** Whether it holds more than zombies, which a container's first process may never ask for: npm does not. */
function groupRuns(leader: number): boolean {
  // Most often there is nothing left at all.
  return signal(-leader, 0) && readdirSync("/proc").some((name) => Number(statOf(name)?.[2]) === leader);
}

/** The processes of one data folder: `run/NAME.pid` and `logs/NAME.log` for each. */
export class Processes {
  constructor(private readonly dataDir: string) {}

  logFile(name: string) {
    return `${this.dataDir}/logs/${name}.log`;
  }

  private pidFile(name: string) {
    return `${this.dataDir}/run/${name}.pid`;
  }

  /** Starts it in a session of its own, so that Ctrl-C in the terminal reaches only the launcher. */
  start(name: string, command: Command): number {
    for (const dir of ["run", "logs"]) makeDataDir(`${this.dataDir}/${dir}`);
    const log = openSync(this.logFile(name), "a");
    const [file, args] = asServerUser(command);
    try {
      const child = spawn(file, args, {
        cwd: "/",
        detached: true,
        env: { ...process.env, ...command.env },
        stdio: ["ignore", log, log],
      });
      // Without a listener a missing program would end the launcher; the wait for readiness reports it.
      child.on("error", () => {});
      child.unref();
      if (child.pid === undefined) throw new ClusterProblem(`${file} can't be started`);
      this.adopt(name, child.pid);
      return child.pid;
    } finally {
      closeSync(log);
    }
  }

  /** Records a process that something else started (mysqlctl starts mysqld). */
  adopt(name: string, pid: number) {
    makeDataDir(`${this.dataDir}/run`);
    writeFileSync(this.pidFile(name), `${pid} ${startTime(pid) ?? "?"}\n`);
  }

  /** Its process id while it runs; undefined when it does not, whatever a stale pid file says. */
  pid(name: string): number | undefined {
    if (!existsSync(this.pidFile(name))) return undefined;
    const [pid, start] = readFileSync(this.pidFile(name), "utf8").trim().split(" ");
    return start !== undefined && startTime(Number(pid)) === start ? Number(pid) : undefined;
  }

  /** Asks it to stop and waits; kills it only if it has not stopped after `timeoutMs`. */
  async stop(name: string, timeoutMs: number) {
    const pid = this.pid(name);
    if (pid !== undefined) {
      signal(pid, "SIGTERM");
      // A stopped (SIGSTOP) process takes no SIGTERM until it goes on.
      signal(pid, "SIGCONT");
      const deadline = Date.now() + timeoutMs;
      while (this.pid(name) === pid) {
        if (Date.now() > deadline) signal(pid, "SIGKILL");
        await sleep(50);
      }
    }
    rmSync(this.pidFile(name), { force: true });
  }

  /** The end of its log, for an error message. */
  logTail(name: string) {
    return existsSync(this.logFile(name)) ? lastLines(readFileSync(this.logFile(name), "utf8")) : "";
  }
}

/** Start time in clock ticks since boot; undefined when no such process runs. */
export function startTime(pid: number): string | undefined {
  return statOf(pid)?.[19];
}

/** From its state on, the third, the fields of /proc/PID/stat; undefined when no such process runs, or only its zombie. */
function statOf(pid: number | string): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command, field 2, is in parentheses and may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields;
  } catch {
    return undefined;
  }
}

/** True when the servers' user can enter the folder. */
export function reachableByServers(dir: string): boolean {
  if (!isRoot) return true;
  for (let path = dir; path !== "/"; path = path.slice(0, path.lastIndexOf("/")) || "/") {
    if (existsSync(path) && (statSync(path).mode & 0o001) === 0 && statSync(path).uid !== UNPRIVILEGED.uid) {
      return false;
    }
  }
  return true;
}

function lastLines(text: string) {
  return text.trim().split("\n").slice(-8).join("\n");
}
