// Lines over the last hour. What they say is said in words too, for those who don't see them.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { numberText } from "./number.ts";

const HEIGHT = 170;
const HOUR_SECONDS = 3_600;
const LEAST_SECONDS = 120;
/** A canvas knows nothing of the style's own names for colours. */
const COLOURS = {
  light: { ink: "#4d5763", line: "#c3cad4", strokes: ["#0b57b0", "#a35a00"] },
  dark: { ink: "#aab3bf", line: "#3b434f", strokes: ["#82b7ff", "#f3c26b"] },
};
const DARK = matchMedia("(prefers-color-scheme: dark)");

interface ChartProps {
  title: string;
  unit: string;
  /** Epoch seconds. */
  times: number[];
  lines: { name: string; values: (number | null)[] }[];
}

export function Chart({ title, unit, times, lines }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const isDark = useDark();
  const data = [times, ...lines.map(({ values }) => values)] as uPlot.AlignedData;
  // Made anew only for other colours: what it shows is set below.
  useEffect(() => {
    const element = box.current as HTMLDivElement;
    const { ink, line, strokes } = COLOURS[isDark ? "dark" : "light"];
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    const made = new uPlot(
      {
        ...{ width: element.clientWidth, height: HEIGHT },
        legend: { show: false },
        cursor: { show: false },
        scales: {
          // A server that began a minute ago has no hour yet.
          x: {
            range: (_, first, last) => [Math.max(last - HOUR_SECONDS, Math.min(first, last - LEAST_SECONDS)), last],
          },
          y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] },
        },
        axes: [axis, { ...axis, size: 60 }],
        series: [{}, ...lines.map(({ name }, i) => ({ label: name, stroke: strokes[i], width: 2 }))],
      },
      data,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [isDark]);
  useEffect(() => plot.current?.setData(data), [times, lines]);
  const said = lines.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    const most = known.length > 0 ? Math.max(...known) : null;
    return `${lines.length > 1 ? `${name} ` : ""}last ${numberText(values.at(-1), unit)}, at most ${numberText(most, unit)}`;
  });
  return (
    <figure class="chart">
      <figcaption>
        <strong>{title}</strong>
        {said.map((each, i) => (
          <span key={each} class={`line line-${i}`}>
            {each}
          </span>
        ))}
      </figcaption>
      <div ref={box} aria-hidden="true" />
    </figure>
  );
}

function useDark(): boolean {
  const [isDark, setDark] = useState(DARK.matches);
  useEffect(() => {
    const follow = () => setDark(DARK.matches);
    DARK.addEventListener("change", follow);
    return () => DARK.removeEventListener("change", follow);
  }, []);
  return isDark;
}
