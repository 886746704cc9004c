// Base images under the names that the Dockerfiles ask for, because no registry can be reached: see bases.Dockerfile.

import { copyFileSync, cpSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { install } from "../../vitess/install/cache.ts";
import { debianMirror } from "../../vitess/install/debian.ts";
import { findParts } from "../../vitess/install/parts.ts";
import { run } from "../../vitess/support/processes.ts";
import type { Podman } from "./podman.ts";

const DEBIAN = "docker.io/library/debian:sid-slim";
const STAND_INS = {
  golang: "docker.io/library/golang:1.26",
  node: "docker.io/library/node:24-slim",
  haproxy: "docker.io/library/haproxy:3.2",
  distroless: "gcr.io/distroless/cc-debian13:nonroot",
};
const ROOT_FREE_MB = 500;

/** The mirror of Debian that this machine uses. */
export function mirror(): string {
  const found = debianMirror();
  if (!found) throw new Error("No Debian mirror is among apt's sources.");
  return found;
}

/** Makes every base image; Debian's root is kept in the cache folder for the next time. */
export async function makeBases(podman: Podman, dir: string, signal: AbortSignal) {
  const root = await install("debian-sid-root", "Bootstrap Debian sid", ROOT_FREE_MB, signal, async (partial) => {
    const args = ["--variant=minbase", "--include=ca-certificates", "sid", join(partial, "root"), mirror()];
    await run({ file: "debootstrap", args }, { keepUser: true, signal });
    await run(
      { file: "tar", args: ["-C", join(partial, "root"), "-cf", join(partial, "root.tar"), "."] },
      { keepUser: true, signal },
    );
    await run({ file: "rm", args: ["-rf", join(partial, "root")] }, { keepUser: true, signal });
  });
  await podman.podman(["import", join(root, "root.tar"), DEBIAN], signal);

  const context = join(dir, "bases");
  mkdirSync(join(context, "vitess"), { recursive: true });
  const { programs } = await findParts(signal);
  for (const program of ["mysqlctl", "vtctld", "vtctldclient", "vtgate", "vtorc", "vttablet"] as const) {
    copyFileSync(programs[program], join(context, "vitess", program));
  }
  copyFileSync(realpathSync(Bun.which("node") as string), join(context, "node"));
  const npm = realpathSync(Bun.which("npm") as string);
  cpSync(dirname(dirname(npm)), join(context, "npm"), { recursive: true });
  for (const [target, image] of Object.entries(STAND_INS)) {
    const file = join(import.meta.dirname, "bases.Dockerfile");
    await podman.podman(
      ["build", "--network=host", "--file", file, "--target", target, "--tag", image, context],
      signal,
    );
  }
}
