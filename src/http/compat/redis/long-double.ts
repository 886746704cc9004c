// Arithmetic of INCRBYFLOAT: x86's 80-bit numbers, in which Redis adds, with a mantissa of 64 bits; written with up to 17
// decimals.

/** `mantissa` × 2^`exponent`. */
interface Finite {
  mantissa: bigint;
  exponent: number;
}

export type LongDouble = Finite | "infinite";

const MANTISSA_BITS = 64;
/** Of the largest number, as of its highest bit. */
const MAX_EXPONENT = 16_383;
/** Powers of ten beyond these are infinite, or nothing. */
const MAX_TEN = 4_933;
const MIN_TEN = -4_951;
const DECIMALS = 17;
/** Of a text that is a number at all. */
export const LONG_DOUBLE_BYTES = 5_119;

const DECIMAL = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d+))?$/i;
const INFINITE = /^[+-]?inf(?:inity)?$/i;

/** Null for what is no number, and for what is too large or too small to be one. */
export function parseLongDouble(bytes: Buffer): LongDouble | null {
  if (bytes.length > LONG_DOUBLE_BYTES) return null;
  const text = bytes.toString("latin1");
  if (INFINITE.test(text)) return "infinite";
  const [whole, sign, before = "", after = "", onlyAfter = "", e = "0"] = DECIMAL.exec(text) ?? [];
  if (whole === undefined) return null;
  const decimals = after + onlyAfter;
  const digits = BigInt(before + decimals);
  if (digits === 0n) return { mantissa: 0n, exponent: 0 };
  const ten = Number(e) - decimals.length;
  const size = String(digits).length + ten;
  if (size > MAX_TEN || size < MIN_TEN) return null;
  const value = ten >= 0 ? rounded(digits * 10n ** BigInt(ten), 1n) : rounded(digits, 10n ** BigInt(-ten));
  if (value === "infinite") return null;
  return sign === "-" ? { ...value, mantissa: -value.mantissa } : value;
}

export function sum(a: LongDouble, b: LongDouble): LongDouble {
  if (a === "infinite" || b === "infinite") return "infinite";
  const exponent = Math.min(a.exponent, b.exponent);
  const exact = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  const size = rounded(exact < 0n ? -exact : exact, 1n, exponent);
  if (size === "infinite" || exact >= 0n) return size;
  return { ...size, mantissa: -size.mantissa };
}

/** As C's `%.17Lf` does it, without the zeros at the end. */
export function textOfLongDouble({ mantissa, exponent }: Finite): string {
  const scaled = (mantissa < 0n ? -mantissa : mantissa) * 10n ** BigInt(DECIMALS);
  const units = exponent >= 0 ? scaled << BigInt(exponent) : divided(scaled, 1n << BigInt(-exponent));
  const digits = String(units).padStart(DECIMALS + 1, "0");
  const text = `${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`.replace(/\.?0+$/, "");
  return mantissa < 0n && text !== "0" ? `-${text}` : text;
}

/** `numerator` / `denominator` × 2^`scale`, to the nearest that has so few bits. */
function rounded(numerator: bigint, denominator: bigint, scale = 0): LongDouble {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 };
  let shift = bits(numerator) - bits(denominator) - MANTISSA_BITS;
  // The quotient may have a bit more or less than this estimate says.
  if (quotient(numerator, denominator, shift) >> BigInt(MANTISSA_BITS) !== 0n) shift += 1;
  const mantissa =
    shift >= 0 ? divided(numerator, denominator << BigInt(shift)) : divided(numerator << BigInt(-shift), denominator);
  const exponent = shift + scale;
  return bits(mantissa) + exponent - 1 > MAX_EXPONENT ? "infinite" : { mantissa, exponent };
}

function quotient(numerator: bigint, denominator: bigint, shift: number): bigint {
  return shift >= 0 ? numerator / (denominator << BigInt(shift)) : (numerator << BigInt(-shift)) / denominator;
}

/** To the nearest integer, and from the middle to the even one. */
function divided(numerator: bigint, denominator: bigint): bigint {
  const whole = numerator / denominator;
  const twice = (numerator - whole * denominator) * 2n;
  return twice > denominator || (twice === denominator && whole % 2n === 1n) ? whole + 1n : whole;
}

function bits(number: bigint): number {
  return number.toString(2).length;
}
