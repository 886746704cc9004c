// A number that the model is given, with how sure it is and where it comes from.

export interface Quantity {
  value: number;
  /** The least and the most that it may be. */
  low: number;
  high: number;
  unit: string;
  /** What measured it, or why it is assumed. */
  source: string;
  /** Else it is assumed. */
  measured: boolean;
}

/** A figure of a benchmark's; its range is that of all values that were measured for it. Throws when there are none. */
export function measured(values: number[], unit: string, source: string): Quantity {
  if (values.length === 0 || !values.every(Number.isFinite)) throw new Error(`nothing measured for: ${source}`);
  const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
  return { value: mean, low: Math.min(...values), high: Math.max(...values), unit, source, measured: true };
}

/** A stated assumption. */
export function assumed(value: number, [low, high]: [number, number], unit: string, source: string): Quantity {
  return { value, low, high, unit, source, measured: false };
}

/** Of each name its value. */
export type Values<Name extends string> = Record<Name, number>;

export function valuesOf<Name extends string>(quantities: Record<Name, Quantity>): Values<Name> {
  const entries = Object.entries<Quantity>(quantities).map(([name, { value }]) => [name, value]);
  return Object.fromEntries(entries) as Values<Name>;
}
