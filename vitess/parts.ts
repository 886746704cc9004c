// Finds the programs a cluster is made of: on PATH in a fitting version, else installed into the cache folder,
// where a later start finds them. Vitess is built from the pinned go.mod beside this file; MySQL and etcd are
// Debian's packages, unpacked into a private prefix. Nothing on the system changes.

import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { withLock } from "./lock.ts";
import { ClusterProblem } from "./problem.ts";
import { reachableByServers, run } from "./processes.ts";
import { step } from "./progress.ts";
import { together } from "./together.ts";
import { type Program, VITESS_VERSION } from "./topology.ts";

const VITESS_PROGRAMS = ["mysqlctl", "vtctld", "vtctldclient", "vtgate", "vtorc", "vttablet"] as const;
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

export interface Parts {
  /** Path of each program. */
  programs: Record<Program, string>;
  /** What mysqlctl takes as VT_MYSQL_ROOT: the folder with `sbin/mysqld` or `bin/mysqld`. */
  mysqlRoot: string;
  /** Lines of my.cnf that tell a mysqld outside its usual place where its files are. */
  mysqlFiles: string[];
}

/** Where installed parts are kept. Root's own ~/.cache is closed to the user that the servers run as. */
function cacheDir(): string {
  const dir = resolve(
    process.env.KV_CACHE_DIR ??
      (process.getuid?.() === 0
        ? "/var/cache/vitess-kv"
        : join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "vitess-kv")),
  );
  if (!reachableByServers(dir)) {
    throw new ClusterProblem(
      `The servers don't run as root, and the user that they run as can't enter ${dir}. Set KV_CACHE_DIR to a folder that everyone can enter.`,
    );
  }
  return dir;
}

/** All programs, installing what is missing. */
export async function findParts(signal?: AbortSignal): Promise<Parts> {
  const [vitess, debian] = (await together<Partial<Parts>>(signal, [findVitess, findMysqlAndEtcd])) as [Parts, Parts];
  return { ...debian, programs: { ...vitess.programs, ...debian.programs } };
}

async function findVitess(signal: AbortSignal): Promise<Pick<Parts, "programs">> {
  const major = VITESS_VERSION.split(".")[0];
  const onPath = VITESS_PROGRAMS.map((program) => versionOnPath(program, /Version: (\d+)\./));
  const fits = onPath.every((found) => found !== undefined && found.version[0] === Number(major));
  const dir = fits ? undefined : await installVitess(signal);
  const paths = VITESS_PROGRAMS.map((program, i) => [program, dir ? join(dir, program) : onPath[i]?.path]);
  return { programs: Object.fromEntries(paths) };
}

async function installVitess(signal: AbortSignal): Promise<string> {
  const source = import.meta.dirname;
  const pinned = ["go.mod", "go.sum"].map((file) => readFileSync(join(source, file), "utf8")).join();
  return install(
    `vitess-${VITESS_VERSION}-${hash(pinned)}`,
    `Build Vitess ${VITESS_VERSION}`,
    5000,
    signal,
    async (partial, report) => {
      if (!Bun.which("go")) {
        throw new ClusterProblem(
          `Vitess ${VITESS_VERSION} is not on PATH, and Go, which builds it, isn't either. Install Go 1.26 or later (go.dev/doc/install), or put Vitess's programs on PATH.`,
        );
      }
      const [, major = 0, minor = 0] = /go(\d+)\.(\d+)/.exec(Bun.spawnSync(["go", "version"]).stdout.toString()) ?? [];
      if (Number(major) === 1 && Number(minor) < 21) {
        throw new ClusterProblem(
          `Go ${major}.${minor} is too old to build Vitess ${VITESS_VERSION}. Install Go 1.26 or later (go.dev/doc/install).`,
        );
      }
      const go = (args: string[], onLine?: (line: string) => void) =>
        run(
          { file: "go", args, cwd: source, env: { GOBIN: partial, GOFLAGS: "-mod=readonly" } },
          { keepUser: true, signal, onLine },
        );
      let modules = 0;
      const packages = await go(["list", "-deps", "tool"], (line) => {
        if (line.startsWith("go: downloading")) report(`${++modules} modules downloaded`);
      });
      const total = packages.trim().split("\n").length;
      let compiled = 0;
      const cores = availableParallelism();
      await go(["install", "-v", "-trimpath", "-ldflags=-s -w", "tool"], () => {
        report(`${++compiled} of at most ${total} packages compiled on ${cores} cores`);
      });
    },
  );
}

async function findMysqlAndEtcd(signal: AbortSignal): Promise<Parts> {
  const mysqld = versionOnPath("mysqld", /^(?!.*MariaDB).*Ver (\d+)\.(\d+)/);
  const etcd = versionOnPath("etcd", /Version: (\d+)\.(\d+)/);
  const mysqlFits = mysqld && (mysqld.version[0] > 8 || (mysqld.version[0] === 8 && mysqld.version[1] >= 4));
  const etcdFits = etcd && etcd.version[0] === 3 && etcd.version[1] >= 5;
  const packages = [
    ...(mysqlFits ? [] : ["mysql-server-core", "mysql-client-core"]),
    ...(etcdFits ? [] : ["etcd-server"]),
  ];
  const prefix = packages.length > 0 ? await installDebian(packages, signal) : "";
  const usr = join(prefix, "usr");
  return {
    programs: {
      mysqld: mysqlFits ? mysqld.path : join(prefix, "sbin/mysqld"),
      etcd: etcdFits ? etcd.path : join(prefix, "bin/etcd"),
    } as Parts["programs"],
    mysqlRoot: mysqlFits ? dirname(dirname(mysqld.path)) : prefix,
    mysqlFiles: mysqlFits
      ? []
      : [
          `lc-messages-dir=${usr}/share/mysql`,
          `character-sets-dir=${usr}/share/mysql/charsets`,
          `plugin-dir=${usr}/lib/mysql/plugin`,
          "secure-file-priv=NULL",
        ],
  };
}

/** Debian packages with all they depend on, libc included, unpacked side by side. */
function installDebian(packages: string[], signal: AbortSignal): Promise<string> {
  const name = `debian-${hash(packages.join())}`;
  return install(name, `Fetch ${packages.join(", ")}`, 1500, signal, async (partial, report) => {
    const wanted = packages.join(", ");
    if (!Bun.which("apt-get") || !Bun.which("dpkg-deb") || !existsSync(KEYRING)) {
      throw new ClusterProblem(
        `MySQL 8.4 or later and etcd 3.5 or later must be on PATH: they can be installed from here only on Debian (${wanted}).`,
      );
    }
    const apt = join(partial, "apt");
    for (const dir of ["state/lists/partial", "cache/archives/partial"]) {
      mkdirSync(join(apt, dir), { recursive: true });
    }
    writeFileSync(join(apt, "status"), "");
    writeFileSync(join(apt, "sources.list"), `deb [signed-by=${KEYRING}] ${debianMirror()} sid main\n`);
    const options = {
      "Dir::Etc::sourcelist": join(apt, "sources.list"),
      "Dir::Etc::sourceparts": "/nonexistent",
      "Dir::State": join(apt, "state"),
      "Dir::State::Lists": join(apt, "state/lists"),
      "Dir::State::status": join(apt, "status"),
      "Dir::Cache": join(apt, "cache"),
      "APT::Install-Recommends": "false",
    };
    const aptGet = (...args: string[]) =>
      run(
        {
          file: "apt-get",
          args: [...args, ...Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`])],
        },
        { keepUser: true, signal, onLine: (line) => /^Get:/.test(line) && report(line.split(" ")[0] ?? "") },
      );
    report("package lists");
    await aptGet("update");
    await aptGet("install", "--yes", "--download-only", ...packages);
    const archives = readdirSync(join(apt, "cache/archives")).filter((file) => file.endsWith(".deb"));
    for (const [i, archive] of archives.entries()) {
      report(`${i} of ${archives.length} packages unpacked`);
      const file = join(apt, "cache/archives", archive);
      await run({ file: "dpkg-deb", args: ["--extract", file, partial] }, { keepUser: true, signal });
    }
    rmSync(apt, { recursive: true });
    writeWrappers(partial, join(dirname(partial), name));
  });
}

/** The packages' libc may be newer than the system's, so each program is run by the loader that came with it. */
function writeWrappers(partial: string, prefix: string) {
  const [loader] = globSync(join(partial, "usr/lib/*-linux-gnu/ld-linux-*.so.*"));
  if (!loader) throw new ClusterProblem("the unpacked packages hold no dynamic loader");
  const libraries = join(prefix, "usr/lib", basename(dirname(loader)));
  for (const program of ["sbin/mysqld", "bin/mysql", "bin/mysqladmin", "bin/etcd"]) {
    if (!existsSync(join(partial, "usr", program))) continue;
    mkdirSync(join(partial, dirname(program)), { recursive: true });
    writeFileSync(
      join(partial, program),
      `#!/bin/sh\nexec '${libraries}/${basename(loader)}' --library-path '${libraries}' '${prefix}/usr/${program}' "$@"\n`,
      { mode: 0o755 },
    );
  }
}

/** The mirror that this machine's own apt uses. */
function debianMirror(): string {
  const files = ["/etc/apt/sources.list", ...globSync("/etc/apt/sources.list.d/*.{list,sources}")];
  for (const file of files.filter((path) => existsSync(path))) {
    const mirror = /^(?:deb\s+(?:\[.*\]\s+)?|URIs:\s*)(\S+\/debian\/?|mirror\+file:\S+\/debian\.list)(?:\s|$)/m.exec(
      readFileSync(file, "utf8"),
    );
    if (mirror?.[1]) return mirror[1];
  }
  throw new ClusterProblem(
    "No Debian mirror is in /etc/apt/sources.list or sources.list.d. Put MySQL 8.4 or later and etcd 3.5 or later on PATH.",
  );
}

/** Fills a folder of the cache once: into a partial folder, renamed when complete, while a lock keeps others waiting. */
export async function install(
  name: string,
  title: string,
  freeMb: number,
  signal: AbortSignal,
  fill: (partial: string, report: (detail: string) => void) => Promise<void>,
): Promise<string> {
  const dir = join(cacheDir(), name);
  if (existsSync(dir)) return dir;
  await step(`${title} (once)`, async (report) => {
    mkdirSync(dirname(dir), { recursive: true });
    requireSpace(dirname(dir), freeMb);
    const onWait = (holder: number) => report(`process ${holder} is at it already`);
    await withLock(`${dir}.lock`, { signal, onWait }, async () => {
      if (existsSync(dir)) return;
      const partial = `${dir}.partial`;
      rmSync(partial, { recursive: true, force: true });
      mkdirSync(partial);
      await fill(partial, report);
      renameSync(partial, dir);
    });
  });
  return dir;
}

/** Fails with a sentence when the disk that holds `dir` has less than `mb` MB left. */
export function requireSpace(dir: string, mb: number) {
  const { bavail, bsize } = statfsSync(dir);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free < mb) {
    throw new ClusterProblem(
      `${dir} has ${free} MB free and ${mb} MB are needed. Free some space or choose another folder.`,
    );
  }
}

function versionOnPath(program: string, pattern: RegExp) {
  const path = Bun.which(program, { PATH: `${process.env.PATH}:/usr/sbin` });
  if (!path) return undefined;
  const { stdout, stderr } = Bun.spawnSync([path, "--version"]);
  const match = pattern.exec(`${stdout}${stderr}`);
  return match ? { path, version: [Number(match[1]), Number(match[2])] as [number, number] } : undefined;
}

function hash(text: string) {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}
