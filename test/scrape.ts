// Reads a server's /metrics.

import { call } from "./targets.ts";

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export class Scraped {
  constructor(
    readonly text: string,
    readonly samples: Sample[],
  ) {}

  /** The samples of a name that have these labels, and perhaps others. */
  of(name: string, labels: Record<string, string> = {}): Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (each) => each.name === name && wanted.every(([label, is]) => each.labels[label] === is),
    );
  }

  /** Their sum; 0 where there is none. */
  sum(name: string, labels?: Record<string, string>): number {
    return this.of(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  /** Their values by one of their labels. */
  by(label: string, name: string, labels?: Record<string, string>): Record<string, number> {
    return Object.fromEntries(this.of(name, labels).map((each) => [each.labels[label] ?? "", each.value]));
  }
}

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export async function scrape(url: string, init?: RequestInit): Promise<Scraped> {
  const answer = await call(`${url}/metrics`, init);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`/metrics answers ${answer.status}`);
  const samples = text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name === undefined) return [];
    return [
      { name, value: Number(value), labels: Object.fromEntries(labels.matchAll(LABEL).map(([, k, v]) => [k, v])) },
    ];
  });
  return new Scraped(text, samples);
}
