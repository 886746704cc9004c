// The model's answers drawn: cost and shards against the size of a value, cost against latency, and where each chokepoint
// begins.

import { areaY, barX, dot, line, ruleX, ruleY, text } from "@observablehq/plot";
import { COLOURS, type PlotOptions } from "../plot.ts";
import { type Chokepoint, chokepointsOf } from "./chokepoints.ts";
import { type Capacity, capacityOf, type Known } from "./model.ts";
import type { Design, Target } from "./target.ts";

const VALUE_BYTES = Array.from({ length: 37 }, (_, i) => Math.round(64 * 2 ** (i / 2.6)));
const LATENCY_MS = Array.from({ length: 31 }, (_, i) => 5 * 10 ** (i / 13));
const PARTS = { nvme: "NVMe", memory: "memory", network: "network", cores: "cores", objects: "object store" } as const;
const SIZE = { width: 760, height: 340, marginLeft: 80, marginRight: 30, marginBottom: 45 };

export function charts(target: Target, design: Design, known: Known): PlotOptions[] {
  const bySize = VALUE_BYTES.map((valueBytes) => ({
    at: valueBytes,
    capacity: capacityOf({ ...target, valueBytes }, design, known),
  }));
  const byLatency = LATENCY_MS.map((ms) => ({
    at: ms,
    capacity: capacityOf({ ...target, latencySeconds: ms / 1000 }, design, known),
  }));
  const byValue = { type: "log", label: "bytes of a value" } as const;
  const plots = [
    costLines(bySize, byValue, target.valueBytes),
    shards(bySize, byValue, target.valueBytes),
    chokepointPlot(chokepointsOf(target, design, known)),
  ];
  if (target.meaning !== "in-flight") return plots;
  const label = `median latency that ${target.calls.toLocaleString("en")} callers without a pause see, ms`;
  return [...plots, costs(byLatency, { type: "log", label }, target.latencySeconds * 1000)];
}

type Points = { at: number; capacity: Capacity }[];

/** Over sizes of values the parts differ by powers of ten. */
function costLines(points: Points, x: PlotOptions["x"], chosen: number): PlotOptions {
  const parts = { ...PARTS, total: "all" } as const;
  const domain = Object.values(parts);
  const data = points.flatMap(({ at, capacity }) =>
    Object.entries(parts).map(([part, name]) => ({ at, name, dollars: capacity.dollars[part as keyof typeof parts] })),
  );
  return {
    ...SIZE,
    x,
    y: { label: "dollars a month", type: "log", grid: true },
    color: { domain, range: COLOURS.slice(0, domain.length) },
    marks: [line(data, { x: "at", y: "dollars", stroke: "name" }), ruleX([chosen], { strokeDasharray: "4 3" })],
  };
}

function costs(points: Points, x: PlotOptions["x"], chosen: number): PlotOptions {
  const names = Object.values(PARTS);
  const data = points.flatMap(({ at, capacity }) =>
    Object.entries(PARTS).map(([part, name]) => ({
      at,
      name,
      millions: capacity.dollars[part as keyof typeof PARTS] / 1e6,
    })),
  );
  return {
    ...SIZE,
    x,
    y: { label: "million dollars a month", grid: true },
    color: { domain: names, range: COLOURS.slice(0, names.length) },
    marks: [
      areaY(data, { x: "at", y: "millions", fill: "name", order: names }),
      ruleX([chosen], { strokeDasharray: "4 3" }),
      ruleY([0]),
    ],
  };
}

function shards(points: Points, x: PlotOptions["x"], chosen: number): PlotOptions {
  const data = points.flatMap(({ at, capacity }) => [
    { at, name: "by storage", shards: capacity.shards.byStorage },
    { at, name: "by calls", shards: capacity.shards.byCalls },
  ]);
  const domain = ["by storage", "by calls"];
  return {
    ...SIZE,
    x,
    y: { label: "shards", type: "log", grid: true },
    color: { domain, range: COLOURS.slice(0, domain.length) },
    marks: [
      line(data, { x: "at", y: "shards", stroke: "name" }),
      dot(data, { x: "at", y: "shards", fill: "name", r: 2 }),
      ruleX([chosen], { strokeDasharray: "4 3" }),
    ],
  };
}

/** Bars from the beginning of a store to where each begins, as a share of the target. */
function chokepointPlot(chokepoints: Chokepoint[]): PlotOptions {
  const bars = chokepoints.map(({ name, begins, target }) => ({
    name: name.split(/[,:(]/)[0]?.trim() ?? name,
    share: begins / target,
  }));
  const least = Math.min(...bars.map(({ share }) => share)) / 3;
  const label = ({ share }: (typeof bars)[number]) => share.toLocaleString("en", { maximumSignificantDigits: 2 });
  return {
    width: 760,
    height: 70 + 26 * bars.length,
    marginLeft: 330,
    marginRight: 60,
    marginBottom: 50,
    x: {
      type: "log",
      tickFormat: (share: number) => String(share),
      label: "begins at this part of the target, without its remedy (1: the whole target)",
      labelOffset: 42,
    },
    y: { label: null, domain: bars.map(({ name }) => name) },
    marks: [
      barX(bars, { x1: least, x2: "share", y: "name", fill: COLOURS[0] }),
      text(bars, { x: "share", y: "name", text: label, textAnchor: "start", dx: 4 }),
      ruleX([1], { strokeDasharray: "4 3" }),
    ],
  };
}
