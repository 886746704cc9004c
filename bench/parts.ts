// Finds the programs that the benchmarks use besides the cluster's own: on PATH, else installed into the cache, as
// vitess/install/parts.ts does. oha is built from its pinned source; the others are Debian's packages.

import { join } from "node:path";
import { install } from "../vitess/install/cache.ts";
import { installDebian } from "../vitess/install/debian.ts";
import { versionOnPath } from "../vitess/install/parts.ts";
import { ClusterProblem } from "../vitess/support/problem.ts";
import { run } from "../vitess/support/processes.ts";

const OHA_VERSION = "1.16.0";

/** Path of oha, the HTTP load generator. Another version may name its options and results otherwise. */
export async function findOha(signal: AbortSignal): Promise<string> {
  const onPath = versionOnPath("oha", /oha (\d+)\.(\d+)/);
  if (onPath && OHA_VERSION.startsWith(`${onPath.version.join(".")}.`)) return onPath.path;
  const dir = await install(`oha-${OHA_VERSION}`, `Build oha ${OHA_VERSION}`, 2000, signal, async (partial, report) => {
    if (!Bun.which("cargo")) {
      throw new ClusterProblem(
        `oha ${OHA_VERSION} is not on PATH, and cargo, which builds it, isn't either. Install Rust (rustup.rs), or put oha on PATH.`,
      );
    }
    let [downloaded, compiled] = [0, 0];
    const onLine = (line: string) => {
      if (line.startsWith("Downloaded ")) report(`${++downloaded} crates downloaded`);
      if (line.startsWith("Compiling ")) report(`${++compiled} crates compiled`);
    };
    const options = ["--locked", "--no-default-features", "--features=rustls", `--root=${partial}`];
    const args = ["install", "oha", `--version=${OHA_VERSION}`, ...options];
    await run({ file: "cargo", args }, { keepUser: true, signal, onLine });
  });
  return join(dir, "bin/oha");
}

/** Path of sysbench, which loads vtgate with plain statements. */
export async function findSysbench(signal: AbortSignal): Promise<string> {
  const onPath = versionOnPath("sysbench", /sysbench (1)\.(\d+)/);
  return onPath?.path ?? join(await installDebian({ sysbench: ["bin/sysbench"] }, signal), "bin/sysbench");
}

/** Paths of Redis and of webdis, its HTTP gateway. */
export async function findWebdis(signal: AbortSignal): Promise<{ redis: string; webdis: string }> {
  const redis = versionOnPath("redis-server", /v=(\d+)\.(\d+)/)?.path;
  const webdis = Bun.which("webdis");
  if (redis && webdis) return { redis, webdis };
  const packages = { "redis-server": ["bin/redis-server"], webdis: ["bin/webdis"] };
  const dir = await installDebian(packages, signal);
  return { redis: redis ?? join(dir, "bin/redis-server"), webdis: webdis ?? join(dir, "bin/webdis") };
}

/** Path of MariaDB's server with the MyRocks engine, and the folder that has its other files. */
export async function findMyRocks(signal: AbortSignal): Promise<{ program: string; dir: string }> {
  const dir = await installDebian({ "mariadb-server-core": ["sbin/mariadbd"], "mariadb-plugin-rocksdb": [] }, signal);
  return { program: join(dir, "sbin/mariadbd"), dir };
}
