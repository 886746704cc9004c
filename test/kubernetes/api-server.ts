// Kubernetes' own API server over an etcd of its own, with nothing behind it: no node, no controller. It says whether it
// would take an object, which is more than a schema can: defaults, quantities, names, what one field means for another.

import { spawn } from "node:child_process";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hash, install } from "../../vitess/install/cache.ts";
import { findGo } from "../../vitess/install/go.ts";
import { findParts } from "../../vitess/install/parts.ts";
import { run } from "../../vitess/support/processes.ts";
import { freePort } from "../free-port.ts";
import type { KubernetesObject } from "./schemas.ts";

const HOST = "127.0.0.1";
const BUILD_FREE_MB = 5_000;
const START_SECONDS = 120;

/** Builds it of the go.mod beside this file, once: some ten minutes on two cores. */
export function buildApiServer(signal: AbortSignal): Promise<string> {
  const pinned = ["go.mod", "go.sum"].map((file) => readFileSync(join(import.meta.dirname, file), "utf8")).join();
  const name = `kube-apiserver-${hash(pinned)}`;
  return install(name, "Build Kubernetes' API server", BUILD_FREE_MB, signal, async (partial, report) => {
    const command = await findGo(signal);
    let compiled = 0;
    await run(
      {
        ...command,
        args: ["install", "-v", "-trimpath", "-ldflags=-s -w", "tool"],
        cwd: import.meta.dirname,
        env: { ...command.env, GOBIN: partial },
      },
      { keepUser: true, signal, onLine: () => report(`${++compiled} packages`) },
    );
  });
}

export class ApiServer {
  readonly #url: string;
  readonly #token: string;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, token: string, stop: () => Promise<void>) {
    this.#url = url;
    this.#token = token;
    this.#stop = stop;
  }

  /** Starts both; `stop` ends them and deletes what they wrote. */
  static async start(program: string, signal: AbortSignal): Promise<ApiServer> {
    const dir = mkdtempSync(join(tmpdir(), "vitess-kv-kubernetes-"));
    const [etcdPort, peerPort, port] = [await freePort(), await freePort(), await freePort()];
    const token = randomUUID();
    mkdirSync(join(dir, "certificates"));
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    writeFileSync(join(dir, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(join(dir, "tokens.csv"), `${token},admin,admin,system:masters\n`);

    const { programs } = await findParts(signal);
    const etcdUrl = `http://${HOST}:${etcdPort}`;
    const etcd = start(programs.etcd, [
      `--data-dir=${dir}/etcd`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=http://${HOST}:${peerPort}`,
    ]);
    const server = start(program, [
      `--etcd-servers=${etcdUrl}`,
      `--bind-address=${HOST}`,
      `--secure-port=${port}`,
      `--cert-dir=${dir}/certificates`,
      `--token-auth-file=${dir}/tokens.csv`,
      "--authorization-mode=RBAC",
      "--service-account-issuer=https://localhost",
      `--service-account-key-file=${dir}/key.pem`,
      `--service-account-signing-key-file=${dir}/key.pem`,
      "--service-cluster-ip-range=10.0.0.0/24",
      // Accounts would be made by a controller that does not run.
      "--disable-admission-plugins=ServiceAccount",
    ]);
    const api = new ApiServer(`https://${HOST}:${port}`, token, async () => {
      await server.stop();
      await etcd.stop();
      rmSync(dir, { recursive: true });
    });
    try {
      await api.#until("it is ready", () => api.#fetch("/readyz"), signal, server.ended);
      return api;
    } catch (error) {
      await api.stop();
      throw new Error(`${(error as Error).message}\n${server.output()}`);
    }
  }

  stop(): Promise<void> {
    return this.#stop();
  }

  /** Creates an object; with `dryRun` says only whether it could. Throws what the server has against it. */
  async create(object: KubernetesObject, { dryRun }: { dryRun: boolean }): Promise<void> {
    const path = await this.#pathOf(object);
    const answer = await this.#fetch(`${path}?fieldValidation=Strict${dryRun ? "&dryRun=All" : ""}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(object),
    });
    if (!answer.ok) throw new Error(((await answer.json()) as { message: string }).message);
  }

  /** Waits until the server knows a kind, as it does some time after its definition was created. */
  async knows(object: KubernetesObject, signal: AbortSignal) {
    await this.#until(
      `it knows ${object.kind}`,
      async () => ({ ok: (await this.#resourceOf(object)) !== undefined }),
      signal,
    );
  }

  async #pathOf(object: KubernetesObject): Promise<string> {
    const resource = await this.#resourceOf(object);
    if (!resource) throw new Error(`no matches for kind "${object.kind}" in "${object.apiVersion}"`);
    const namespace = resource.namespaced ? `/namespaces/${object.metadata.namespace ?? "default"}` : "";
    return `${base(object)}${namespace}/${resource.name}`;
  }

  async #resourceOf(object: KubernetesObject) {
    const answer = await this.#fetch(base(object));
    if (!answer.ok) return undefined;
    const { resources } = (await answer.json()) as { resources: { name: string; kind: string; namespaced: boolean }[] };
    return resources.find(({ name, kind }) => kind === object.kind && !name.includes("/"));
  }

  async #until(title: string, holds: () => Promise<{ ok: boolean }>, signal: AbortSignal, ended?: () => boolean) {
    const deadline = Date.now() + START_SECONDS * 1000;
    while (!(await holds().catch(() => ({ ok: false }))).ok) {
      if (ended?.() || Date.now() > deadline) throw new Error(`Kubernetes' API server: not so far that ${title}`);
      await sleep(200, undefined, { signal });
    }
  }

  #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...init.headers, Authorization: `Bearer ${this.#token}` };
    // Its certificate is one that it has made for itself.
    return fetch(this.#url + path, { ...init, headers, tls: { rejectUnauthorized: false } });
  }
}

const base = ({ apiVersion }: KubernetesObject) =>
  apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

function start(file: string, args: string[]) {
  const child = spawn(file, args, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(child, "exit");
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    output = (output + chunk).slice(-2_000);
  });
  return {
    output: () => output,
    ended: () => child.exitCode !== null,
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
