// Numbers as people read them at a glance.

/** With three digits that count; a dash where there is none. */
export function numberText(value: number | null | undefined, unit = ""): string {
  if (value == null) return "–";
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const text = value.toLocaleString("en", { maximumFractionDigits: digits });
  return unit === "" ? text : `${text} ${unit}`;
}
