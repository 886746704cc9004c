// Debian's Prometheus with the alerts of vitess/monitoring, in a hurry: what they do within minutes it does within seconds.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installDebian } from "../../vitess/install/debian.ts";
import { freePort } from "../free-port.ts";
import { call, until } from "../targets.ts";

export const MONITORING = join(import.meta.dirname, "../../vitess/monitoring");
const PROGRAMS = { prometheus: ["bin/prometheus", "bin/promtool"] };
/** /metrics takes up to three seconds while the database is away. */
const SCRAPE_SECONDS = 4;
/** In place of minutes over which rates are taken: more than two scrapes. */
const WINDOW_SECONDS = 14;

/** Where the programs are, or why they can't be had. */
export async function findPrometheus(): Promise<{ dir: string } | { missing: string }> {
  try {
    return { dir: join(await installDebian(PROGRAMS, new AbortController().signal), "bin") };
  } catch (error) {
    return { missing: (error as Error).message };
  }
}

export class Prometheus {
  private constructor(
    private readonly url: string,
    private readonly child: ReturnType<typeof spawn>,
  ) {}

  /** Watches a server, with its data in a folder. */
  static async start(programs: string, dir: string, target: string): Promise<Prometheus> {
    mkdirSync(dir, { recursive: true });
    const rules = readFileSync(join(MONITORING, "alerts.yaml"), "utf8");
    writeFileSync(join(dir, "alerts.yaml"), hurried(rules));
    const config = readFileSync(join(MONITORING, "prometheus.yaml"), "utf8")
      .replace("scrape_interval: 15s", `scrape_interval: ${SCRAPE_SECONDS}s\n  evaluation_interval: 1s`)
      .replace("127.0.0.1:8787", target);
    writeFileSync(join(dir, "prometheus.yaml"), config);
    const port = await freePort();
    const child = spawn(
      join(programs, "prometheus"),
      [
        ...[`--config.file=${join(dir, "prometheus.yaml")}`, `--storage.tsdb.path=${join(dir, "data")}`],
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: "ignore" },
    );
    const prometheus = new Prometheus(`http://127.0.0.1:${port}`, child);
    const isReady = () =>
      call(`${prometheus.url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(isReady, "Prometheus is ready");
    return prometheus;
  }

  async stop() {
    this.child.kill("SIGTERM");
    if (this.child.exitCode === null) await once(this.child, "exit");
  }

  /** The names of the alerts that fire. */
  async firing(): Promise<string[]> {
    const { alerts } = await this.get<{ alerts: { state: string; labels: { alertname: string } }[] }>("alerts");
    const names = alerts.filter(({ state }) => state === "firing").map(({ labels }) => labels.alertname);
    return [...new Set(names)].toSorted();
  }

  /** How many series an expression gives at this moment. */
  async count(expression: string): Promise<number> {
    const { result } = await this.get<{ result: unknown[] }>(`query?query=${encodeURIComponent(expression)}`);
    return result.length;
  }

  private async get<T>(path: string): Promise<T> {
    const answer = (await (await call(`${this.url}/api/v1/${path}`)).json()) as { data?: T; error?: string };
    if (!answer.data) throw new Error(answer.error);
    return answer.data;
  }
}

function hurried(rules: string): string {
  return rules.replaceAll(/for: \w+/g, "for: 2s").replaceAll(/\[\d+m\]/g, `[${WINDOW_SECONDS}s]`);
}
