// The picture of the system in README.md and DESIGN.md, as an SVG for light and dark pages. `npm run render` writes it.

import { newSettings } from "./settings.ts";
import { topology } from "./topology.ts";

const WIDTH = 880;
const HEIGHT = 500;
const STYLE = `
    text { font: 14px system-ui, sans-serif; fill: #1f2328; text-anchor: middle }
    .small { font-size: 12px; fill: #59636e }
    .left { text-anchor: start }
    rect { fill: #ffffff; stroke: #59636e; rx: 6px }
    .group { fill: none; stroke: #d1d9e0; stroke-dasharray: 4 3 }
    .primary { fill: #ddf4ff; stroke: #0969da }
    path { fill: none; stroke: #59636e; stroke-width: 1.5; marker-end: url(#arrow) }
    .replication { stroke: #0969da }
    .control { stroke-dasharray: 4 3 }
    marker path { fill: #59636e; stroke: none; marker-end: none }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc }
      .small { fill: #9198a1 }
      rect { fill: #0d1117; stroke: #9198a1 }
      .group { fill: none; stroke: #3d444d }
      .primary { fill: #0c2d6b; stroke: #4493f8 }
      path { stroke: #9198a1 }
      .replication { stroke: #4493f8 }
      marker path { fill: #9198a1 }
    }
  `;

export function picture(): string {
  const { shards, tablets } = topology(newSettings(2, 3, 15000), {
    dataDir: "",
    bind: "",
    hostOf: () => "",
  });
  const replicas = tablets.length / shards.length - 1;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title">
  <title id="title">Clients call servers over HTTP; servers send batches through vtgate to the primary of each shard, which waits for a replica.</title>
  <style>${STYLE}</style>
  <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 Z"/></marker></defs>
${[
  box(320, 12, 240, 40, "clients and other services"),
  arrow(400, 52, 290, 92),
  arrow(480, 52, 590, 92),
  note(560, 72, "HTTP through a load balancer"),
  box(120, 94, 300, 62, "servers on Bun", "batches, deadlines, load shedding, sweep"),
  box(460, 94, 300, 62, "Cloudflare Workers", "the same app, one call a batch"),
  arrow(270, 156, 350, 202),
  arrow(610, 156, 530, 202),
  note(452, 184, "MySQL protocol"),
  box(320, 204, 240, 48, "vtgates", "which shard, which primary"),
  ...shards.flatMap((name, i) => shard(name, i === 0 ? 60 : 460, replicas)),
  arrow(400, 252, 240, 318),
  arrow(480, 252, 640, 318),
  box(690, 204, 170, 48, "etcd, vtorc, vtctld", "on no call's path"),
  `  <path class="control" d="M690 228 H562"/>`,
  `  <path class="control" d="M775 252 V288"/>`,
].join("\n")}
</svg>
`;
}

function shard(name: string, x: number, replicas: number): string {
  const boxes = Array.from({ length: replicas }, (_, i) => box(x + 20 + i * 170, 420, 150, 40, "replica"));
  const copies = boxes.map((_, i) => `  <path class="replication" d="M${x + 180} 372 L${x + 95 + i * 170} 418"/>`);
  return [
    `  <rect class="group" x="${x}" y="290" width="360" height="202"/>`,
    note(x + 12, 308, `shard ${name}`),
    box(x + 90, 320, 180, 52, "primary", "vttablet and mysqld", "primary"),
    ...boxes,
    ...copies,
    note(x + 12, 480, "a commit waits until one replica has it on disk"),
  ].join("\n");
}

function box(x: number, y: number, width: number, height: number, title: string, below = "", kind = ""): string {
  const middle = x + width / 2;
  const baseline = y + height / 2 + (below ? -4 : 5);
  return [
    `  <rect ${kind ? `class="${kind}" ` : ""}x="${x}" y="${y}" width="${width}" height="${height}"/>`,
    `  <text x="${middle}" y="${baseline}">${title}</text>`,
    ...(below ? [`  <text class="small" x="${middle}" y="${baseline + 18}">${below}</text>`] : []),
  ].join("\n");
}

function arrow(x1: number, y1: number, x2: number, y2: number): string {
  return `  <path d="M${x1} ${y1} L${x2} ${y2}"/>`;
}

function note(x: number, y: number, text: string): string {
  return `  <text class="small left" x="${x}" y="${y}">${text}</text>`;
}
