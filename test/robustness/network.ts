// Cuts processes off from each other, as a broken network does: what they send to each other is dropped without a word.
// All of a cluster's processes share one address, so the kernel's packet filter (nftables) goes by ports: of connections
// that are open by both ends, and of those tried later by the control group of the process that tries.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { installDebian } from "../../vitess/install/debian.ts";
import { run } from "../../vitess/support/processes.ts";

/** A process, and the TCP ports on which it listens. */
export interface Peer {
  pid: number;
  ports: readonly number[];
}

/** Where the packet filter finds control groups, and below it those of the second version: alone, or beside the first. */
const CGROUPS = "/sys/fs/cgroup";
const MOUNTS = ["unified", ""];
/** Of one command; the filter itself is installed first where there is none. */
const COMMAND_MS = 10_000;
const INSTALL_MS = 120_000;

/** Drops every packet between the two sides from now on; returns what joins them again. Neither side's connections end. */
export async function cut(sideA: Peer[], sideB: Peer[]): Promise<() => Promise<void>> {
  const nft = await findNft();
  const name = `kv_cut_${process.pid}_${Date.now()}`;
  const groups = [new Group(`${name}_a`, sideA), new Group(`${name}_b`, sideB)] as const;
  const heal = async () => {
    // Fails where there is none: the cut did not come about.
    await command(nft, ["delete", "table", "inet", name]).catch(() => {});
    for (const group of groups) group.end();
  };
  try {
    // First the groups: whatever is opened from here on belongs to one.
    for (const group of groups) group.begin();
    const open = await connections();
    const pairs = [...between(open, sideA, sideB), ...between(open, sideB, sideA)];
    await command(nft, [table(name, [...openPairs(pairs), newFrom(groups[0], sideB), newFrom(groups[1], sideA)])]);
  } catch (error) {
    await heal();
    throw error;
  }
  return heal;
}

/** Why `cut` can't work on this machine, if so. */
export async function cutImpossible(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "only root may cut connections";
  try {
    const probe = new Group(`kv_probe_${process.pid}`, []);
    probe.begin();
    try {
      const nft = await findNft();
      await command(nft, ["--check", table("kv_probe", [newFrom(probe, [{ pid: 0, ports: [1] }])])]);
      await command("ss", ["--version"]);
    } finally {
      probe.end();
    }
  } catch (error) {
    return `this machine does not let connections be cut: ${(error as Error).message.split("\n").slice(0, 2).join(" ")}`;
  }
}

/** A control group with some processes in it, each of which goes back to where it was. */
class Group {
  private readonly mount = MOUNTS.map((dir) => join(CGROUPS, dir)).find((dir) => existsSync(join(dir, "cgroup.procs")));
  private readonly origins = new Map<number, string>();

  constructor(
    private readonly name: string,
    private readonly peers: Peer[],
  ) {}

  private get dir(): string {
    if (this.mount === undefined) throw new Error("there are no control groups of version 2");
    return join(this.mount, this.name);
  }

  /** As the packet filter names it. */
  get path(): string {
    return relative(CGROUPS, this.dir);
  }

  /** How deep it is below the root of all groups. */
  get level(): number {
    return relative(this.mount ?? "", this.dir).split("/").length;
  }

  begin() {
    mkdirSync(this.dir);
    for (const { pid } of this.peers) {
      const line = readFileSync(`/proc/${pid}/cgroup`, "utf8")
        .split("\n")
        .find((each) => each.startsWith("0::"));
      this.origins.set(pid, join(this.mount ?? "", (line ?? "0::/").slice("0::".length)));
      writeFileSync(join(this.dir, "cgroup.procs"), String(pid));
    }
  }

  end() {
    if (!existsSync(this.dir)) return;
    const origins = [...this.origins.values()];
    for (const pid of readFileSync(join(this.dir, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number)) {
      // What one of them has started since has its place.
      writeFileSync(join(this.origins.get(pid) ?? origins[0] ?? "", "cgroup.procs"), String(pid));
    }
    rmdirSync(this.dir);
  }
}

interface Connection {
  port: number;
  peerPort: number;
  /** Those that hold this end of it. */
  pids: number[];
}

/** Every TCP connection of this machine, once for each end that is on it. */
async function connections(): Promise<Connection[]> {
  const portOf = (address = "") => Number(address.slice(address.lastIndexOf(":") + 1));
  const lines = (await command("ss", ["-Htnp", "state", "connected"])).split("\n").filter(Boolean);
  return lines.map((line) => {
    const [, , , address, peer] = line.trim().split(/\s+/);
    const pids = [...line.matchAll(/pid=(\d+)/g)].map(([, pid]) => Number(pid));
    return { port: portOf(address), peerPort: portOf(peer), pids };
  });
}

/** Those that the clients have opened to the servers. */
function between(open: Connection[], clients: Peer[], servers: Peer[]): Connection[] {
  const pids = new Set(clients.map(({ pid }) => pid));
  const ports = new Set(portsOf(servers));
  return open.filter((each) => ports.has(each.peerPort) && each.pids.some((pid) => pids.has(pid)));
}

function portsOf(peers: Peer[]): number[] {
  return peers.flatMap(({ ports }) => ports);
}

function table(name: string, rules: string[]): string {
  return `table inet ${name} { chain output { type filter hook output priority 0; ${rules.join("; ")}; }; }`;
}

function openPairs(pairs: Connection[]): string[] {
  if (pairs.length === 0) return [];
  const both = pairs.flatMap(({ port, peerPort }) => [`${port} . ${peerPort}`, `${peerPort} . ${port}`]);
  return [`tcp sport . tcp dport { ${[...new Set(both)].join(", ")} } drop`];
}

function newFrom(group: Group, servers: Peer[]): string {
  const ports = portsOf(servers).join(", ");
  return `socket cgroupv2 level ${group.level} "${group.path}" tcp dport { ${ports} } drop`;
}

async function findNft(): Promise<string> {
  const onPath = Bun.which("nft", { PATH: `${process.env.PATH}:/usr/sbin:/sbin` });
  return onPath ?? join(await installDebian({ nftables: ["sbin/nft"] }, AbortSignal.timeout(INSTALL_MS)), "sbin/nft");
}

function command(file: string, args: string[]): Promise<string> {
  return run({ file, args }, { keepUser: true, signal: AbortSignal.timeout(COMMAND_MS) });
}
