// Go, which builds Vitess and the checker of histories: the one on PATH if it is new enough, else Debian's, unpacked into
// the cache.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "../support/processes.ts";
import { installDebian } from "./debian.ts";

const DEBIAN_PACKAGE = "golang-1.26-go";
/** Where that package has GOROOT. */
const DEBIAN_ROOT = "lib/go-1.26";

/** What the pinned go.mod asks for: `1.26.2`. */
const LEAST_VERSION = /^go (\S+)$/m.exec(readFileSync(join(import.meta.dirname, "go.mod"), "utf8"))?.[1] ?? "";

const ENVIRONMENT = {
  GOFLAGS: "-mod=readonly",
  // Neither a C compiler nor its headers are needed.
  CGO_ENABLED: "0",
  // What go.mod pins is built by this Go, or not at all: no other one is downloaded.
  GOTOOLCHAIN: "local",
};

/** How to run `go`, installing it if need be; to be completed with arguments. */
export async function findGo(signal: AbortSignal): Promise<Pick<Command, "file"> & { env: Record<string, string> }> {
  const onPath = goOnPath();
  if (onPath) return { file: onPath, env: ENVIRONMENT };
  const program = `${DEBIAN_ROOT}/bin/go`;
  const dir = await installDebian({ [DEBIAN_PACKAGE]: [program] }, signal);
  // The user's own GOROOT is of another Go.
  return { file: join(dir, program), env: { ...ENVIRONMENT, GOROOT: join(dir, "usr", DEBIAN_ROOT) } };
}

/** The `go` on PATH, unless it is too old. */
export function goOnPath(): string | undefined {
  const path = Bun.which("go", { PATH: process.env.PATH });
  if (!path) return undefined;
  const { stdout } = Bun.spawnSync([path, "version"], { env: { ...process.env, ...ENVIRONMENT } });
  const [, minor, patch = ".0"] = /\bgo(\d+\.\d+)(\.\d+)?/.exec(`${stdout}`) ?? [];
  return minor && Bun.semver.order(`${minor}${patch}`, LEAST_VERSION) >= 0 ? path : undefined;
}
