// What a monitor is told, in Prometheus's format: of this process, of the others that serve with it, and of the database.

import { AggregatorRegistry, collectDefaultMetrics, Gauge, type MetricObjectWithValues, Registry } from "prom-client";
import { Calls, type Load } from "./calls.ts";
import { type ClusterSources, clusterMetrics } from "./cluster.ts";
import { Requests, type RequestsOptions } from "./requests.ts";
import { shardLabels } from "./shards.ts";
import { Statements } from "./statements.ts";

/** Of prom-client's own: the others Bun does not tell truly, or nobody asks for. */
const OF_PROCESS = [
  "process_cpu_seconds_total",
  "process_resident_memory_bytes",
  "process_open_fds",
  "process_max_fds",
  "nodejs_eventloop_lag_p99_seconds",
];

/** All series of some metrics, as prom-client's registry gives them. */
export type Snapshot = Omit<MetricObjectWithValues<never>, "collect">[];

export interface Sources extends Pick<ClusterSources, "sweep" | "tablets"> {
  /** What waits at this moment, and what may; undefined where nothing waits for others. */
  load?: () => Load;
  limits: Load;
}

export class Metrics {
  private readonly requests: Requests;
  readonly calls: Calls;
  readonly statements: Statements;
  private readonly own = new Registry();
  private readonly ofCluster = new Registry();
  private readonly ofProcess = new Registry();
  private shards: () => string[] = () => [];
  private readonly labelOf = shardLabels(() => this.shards());

  constructor(options: RequestsOptions) {
    const { journal, tracing } = options;
    this.requests = new Requests(this.own, options);
    this.calls = new Calls(this.own, journal, tracing);
    this.statements = new Statements(this.own, this.labelOf, tracing);
    collectDefaultMetrics({ register: this.ofProcess });
    // Bun walks the whole heap for it, and answers nobody meanwhile.
    this.ofProcess.removeSingleMetric("nodejs_heap_space_size_total_bytes");
    new Gauge({
      name: "kv_processes",
      help: "Processes that these numbers are of",
      registers: [this.own],
    }).set(1);
  }

  /** See `Requests`. */
  observe(...route: Parameters<Requests["observe"]>) {
    return this.requests.observe(...route);
  }

  turnedAway() {
    this.requests.turnedAway();
    this.calls.turnedAway();
  }

  /** Begins to tell what shards there are, and what the server and its database do. */
  watch(shards: () => string[], { load, limits, sweep, tablets }: Sources) {
    this.shards = shards;
    if (load) this.calls.watch(load, limits);
    clusterMetrics(this.ofCluster, { shards, labelOf: this.labelOf, sweep, tablets });
  }

  /** Of this process alone. */
  async snapshot(): Promise<Snapshot> {
    const [own, ofProcess] = await Promise.all([this.own.getMetricsAsJSON(), this.ofProcess.getMetricsAsJSON()]);
    const all = [...own, ...ofProcess.filter(({ name }) => OF_PROCESS.includes(name))];
    return all as unknown as Snapshot;
  }

  /** The same of all processes together; `others` as below. */
  async ofProcesses(others: () => Promise<Snapshot[]> = async () => [await this.snapshot()]) {
    return AggregatorRegistry.aggregate(await others()).getMetricsAsJSON();
  }

  /** Of everything; `others` gives what all processes tell of themselves, this one too. */
  async gather(others: () => Promise<Snapshot[]> = async () => [await this.snapshot()]): Promise<Registry> {
    const [processes, ofCluster] = await Promise.all([others(), this.ofCluster.getMetricsAsJSON()]);
    return AggregatorRegistry.aggregate([...processes, ofCluster as unknown as Snapshot]);
  }
}
