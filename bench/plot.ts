// Draws plots into an SVG file, for reports: black on white, with a legend.

import { writeFileSync } from "node:fs";
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

const FONT = "13px system-ui, sans-serif";
const LEGEND_HEIGHT = 24;
const GAP = 16;

/** What Observable Plot takes. A legend is drawn where `color` has both a domain and a range. */
export type PlotOptions = Plot.PlotOptions & { color?: { domain?: string[]; range?: string[] } };

/** What is used of the document's own type. */
interface SvgElement {
  outerHTML: string;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
}

/** Colours that differ for the colour-blind too (Okabe and Ito). */
export const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/** Writes one plot, or several below each other. */
export function writePlot(file: string, plots: PlotOptions | PlotOptions[]) {
  const { document } = parseHTML("<html><body></body></html>");
  let y = 0;
  let width = 0;
  const parts = [plots].flat().map((options) => {
    const svg = Plot.plot({
      document,
      style: { font: FONT, background: "white" },
      ...options,
    }) as unknown as SvgElement;
    const legend = legendOf(options);
    const top = y + (legend ? LEGEND_HEIGHT : 0);
    const height = Number(svg.getAttribute("height"));
    svg.setAttribute("y", String(top));
    // Plot's own style is for a page: it would stretch a plot to the height of the whole file.
    svg.setAttribute("style", `${svg.getAttribute("style")};height:${height}px`);
    const part = `<g transform="translate(0 ${y})">${legend}</g>${svg.outerHTML}`;
    y = top + height + GAP;
    width = Math.max(width, Number(svg.getAttribute("width")));
    return part;
  });
  const size = `width="${width}" height="${y}" viewBox="0 0 ${width} ${y}"`;
  const open = `<svg xmlns="http://www.w3.org/2000/svg" ${size} style="font: ${FONT}; background: white">`;
  writeFileSync(file, `${open}<rect width="100%" height="100%" fill="white"/>${parts.join("")}</svg>\n`);
}

/** Plot's own legend is HTML, which an SVG file can't hold. */
function legendOf({ color }: PlotOptions): string {
  if (!color?.domain || !color.range) return "";
  let x = 8;
  return color.domain
    .map((name, i) => {
      const swatch = `<rect x="${x}" y="7" width="12" height="12" fill="${color.range?.[i]}"/>`;
      const text = `<text x="${x + 17}" y="18">${escaped(name)}</text>`;
      x += 17 + 8 * name.length + 20;
      return swatch + text;
    })
    .join("");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
