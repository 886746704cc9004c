// Programs out of Debian's packages, on a Debian of any age: unpacked into the cache with all they depend on.

import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ClusterProblem } from "../support/problem.ts";
import { run } from "../support/processes.ts";
import { hash, install } from "./cache.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Installs packages with all they depend on, libc included, side by side, and returns the folder. `programs` names the
 * programs wanted of each package, as in `{ "etcd-server": ["bin/etcd"] }`, and where they then are in the folder.
 */
export function installDebian(programs: Record<string, string[]>, signal: AbortSignal): Promise<string> {
  const packages = Object.keys(programs);
  const name = `debian-${hash(packages.join())}`;
  return install(name, `Fetch ${packages.join(", ")}`, 1500, signal, async (partial, report) => {
    if (!Bun.which("apt-get") || !Bun.which("dpkg-deb") || !existsSync(KEYRING)) {
      throw new ClusterProblem(
        `${wanted(programs)} must be on PATH, in a recent version: only on Debian can they be installed from here (${packages.join(", ")}).`,
      );
    }
    const mirror = debianMirror();
    if (!mirror) {
      throw new ClusterProblem(
        `No Debian mirror is in /etc/apt/sources.list or sources.list.d. Put ${wanted(programs)} on PATH, in a recent version.`,
      );
    }
    const apt = join(partial, "apt");
    for (const dir of ["state/lists/partial", "cache/archives/partial"]) {
      mkdirSync(join(apt, dir), { recursive: true });
    }
    writeFileSync(join(apt, "status"), "");
    writeFileSync(join(apt, "sources.list"), `deb [signed-by=${KEYRING}] ${mirror} sid main\n`);
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
    writeWrappers(partial, join(dirname(partial), name), Object.values(programs).flat());
  });
}

function wanted(programs: Record<string, string[]>): string {
  return Object.values(programs)
    .flat()
    .map((path) => basename(path))
    .join(", ");
}

/**
 * The packages' libc may be newer than the system's, so each program is run by the loader that came with it. Where none
 * came, the programs need none.
 */
function writeWrappers(partial: string, prefix: string, programs: string[]) {
  const [loader] = globSync(join(partial, "usr/lib/*-linux-gnu/ld-linux-*.so.*"));
  const libraries = loader && join(prefix, "usr/lib", basename(dirname(loader)));
  const load = loader ? `'${libraries}/${basename(loader)}' --library-path '${libraries}' ` : "";
  for (const program of programs) {
    mkdirSync(join(partial, dirname(program)), { recursive: true });
    writeFileSync(join(partial, program), `#!/bin/sh\nexec ${load}'${prefix}/usr/${program}' "$@"\n`, { mode: 0o755 });
  }
}

/** The mirror that this machine's own apt uses. */
export function debianMirror(): string | undefined {
  const files = ["/etc/apt/sources.list", ...globSync("/etc/apt/sources.list.d/*.{list,sources}")];
  for (const file of files.filter((path) => existsSync(path))) {
    const mirror = /^(?:deb\s+(?:\[.*\]\s+)?|URIs:\s*)(\S+\/debian\/?|mirror\+file:\S+\/debian\.list)(?:\s|$)/m.exec(
      readFileSync(file, "utf8"),
    );
    if (mirror?.[1]) return mirror[1];
  }
  return undefined;
}
