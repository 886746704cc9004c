// Finds the programs a cluster is made of: on PATH in a fitting version, else installed into the cache folder,
// where a later start finds them. Vitess is built from the pinned go.mod beside this file; MySQL, etcd and Go are
// Debian's packages, unpacked into a private prefix. Nothing on the system changes.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { run } from "../support/processes.ts";
import { together } from "../support/together.ts";
import { type Program, VITESS_VERSION } from "../topology/topology.ts";
import { hash, install } from "./cache.ts";
import { installDebian } from "./debian.ts";
import { findGo } from "./go.ts";

const VITESS_PROGRAMS = ["mysqlctl", "vtctld", "vtctldclient", "vtgate", "vtorc", "vttablet"] as const;

export interface Parts {
  /** Path of each program. */
  programs: Record<Program, string>;
  /** What mysqlctl takes as VT_MYSQL_ROOT: the folder with `sbin/mysqld` or `bin/mysqld`. */
  mysqlRoot: string;
  /** Lines of my.cnf that tell a mysqld outside its usual place where its files are. */
  mysqlFiles: string[];
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
      const command = await findGo(signal);
      const go = (args: string[], onLine?: (line: string) => void) =>
        run(
          { ...command, args, cwd: source, env: { ...command.env, GOBIN: partial } },
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
  const missing: Record<string, string[]> = {
    ...(!mysqlFits && { "mysql-server-core": ["sbin/mysqld"], "mysql-client-core": ["bin/mysql", "bin/mysqladmin"] }),
    ...(!etcdFits && { "etcd-server": ["bin/etcd"] }),
  };
  const prefix = Object.keys(missing).length > 0 ? await installDebian(missing, signal) : "";
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

/** Of the mysqld that is used, as it tells it: `9.7.4-2`. */
export function mysqlVersion({ programs }: Parts): string {
  const { stdout } = Bun.spawnSync([programs.mysqld, "--version"]);
  return / Ver (\S+)/.exec(`${stdout}`)?.[1] ?? "";
}

/** The program on PATH with the major and minor version that the pattern finds in what `--version` prints, if it does. */
export function versionOnPath(program: string, pattern: RegExp) {
  const path = Bun.which(program, { PATH: `${process.env.PATH}:/usr/sbin` });
  if (!path) return undefined;
  const { stdout, stderr } = Bun.spawnSync([path, "--version"]);
  const match = pattern.exec(`${stdout}${stderr}`);
  return match ? { path, version: [Number(match[1]), Number(match[2])] as [number, number] } : undefined;
}
