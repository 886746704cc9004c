// podman and podman-compose with all that they keep in one folder, so that deleting this leaves nothing of theirs behind.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Long enough for a mysqld to write what it holds; compose files say the same, to engines that read it. */
const STOP_SECONDS = 60;
const OUTPUT_CHARS = 20_000;

export class Podman {
  readonly #dir: string;
  readonly #environment: Record<string, string>;

  /** Its images, containers, volumes and networks are in `dir`, which nobody else's are in. */
  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
    const storage = join(dir, "storage.conf");
    const containers = join(dir, "containers.conf");
    writeFileSync(storage, `[storage]\ndriver = "overlay"\ngraphroot = "${dir}/storage"\nrunroot = "${dir}/run"\n`);
    // Without systemd, in a machine that allows a process no more open files than this.
    writeFileSync(
      containers,
      `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${dir}/libpod"
volume_path = "${dir}/volumes"
[network]
network_backend = "netavark"
network_config_dir = "${dir}/networks"
`,
    );
    // An image as Docker's has a health check, and one as of OCI has none.
    this.#environment = { CONTAINERS_STORAGE_CONF: storage, CONTAINERS_CONF: containers, BUILDAH_FORMAT: "docker" };
  }

  /** What `podman` prints; throws the end of it where it fails. */
  podman(args: string[], signal?: AbortSignal): Promise<string> {
    return this.#run("podman", args, {}, signal);
  }

  /** The same of `podman-compose` with a file. */
  compose(file: string, args: string[], variables: Record<string, string>, signal?: AbortSignal): Promise<string> {
    return this.#run("podman-compose", ["--file", file, ...args], variables, signal);
  }

  /** Of a service's container, even of one that has ended. */
  async container(service: string): Promise<string> {
    const filter = `label=com.docker.compose.service=${service}`;
    const id = (await this.podman(["ps", "--all", "--quiet", "--filter", filter])).trim();
    if (!/^[0-9a-f]+$/.test(id)) throw new Error(`not one container is of ${service}`);
    return id;
  }

  /** Ends a compose file's containers in order and removes them with their volumes. */
  async down(file: string, variables: Record<string, string>) {
    await this.compose(file, ["down", "--volumes", "--timeout", String(STOP_SECONDS)], variables);
  }

  /** Removes containers, volumes and networks, whatever state they are in, such as those of a run that was killed. */
  async clear() {
    await this.podman(["rm", "--all", "--force", "--time", "0", "--volumes"]);
    await this.podman(["volume", "prune", "--force"]);
    await this.podman(["network", "prune", "--force"]);
  }

  /** Removes everything. */
  async remove() {
    await this.clear();
    await this.podman(["rmi", "--all", "--force"]);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #run(file: string, args: string[], variables: Record<string, string>, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    // In a group of its own, because Ctrl-C is for whoever removes what it has made.
    const child = spawn(file, args, {
      detached: true,
      env: { ...process.env, ...this.#environment, ...variables },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const abort = () => child.pid && process.kill(-child.pid, "SIGTERM");
    signal?.addEventListener("abort", abort);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      stdout = (stdout + chunk).slice(-OUTPUT_CHARS);
    });
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      stderr = (stderr + chunk).slice(-OUTPUT_CHARS);
    });
    const [code] = await once(child, "close");
    signal?.removeEventListener("abort", abort);
    signal?.throwIfAborted();
    if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }
}
