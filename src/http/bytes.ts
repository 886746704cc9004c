// Bytes, of keys and values, as JSON and query strings have them: as text where they are UTF-8.

import { isUtf8 } from "node:buffer";
import { isRepaired, isWellEscaped, unescaped } from "./escapes.ts";
import { Problem } from "./problem.ts";

/** One character a byte in UTF-8, as most keys are. */
const ASCII = /^[^\u0080-\uffff]*$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** `{name: text}`, or `{name_base64: …}` for what is no UTF-8. */
export function bytesField<N extends string>(name: N, bytes: Buffer): Record<string, string> {
  const text = textOf(bytes);
  return text === undefined ? { [`${name}_base64`]: bytes.toString("base64") } : { [name]: text };
}

/** Undefined where it is not UTF-8. */
export function textOf(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString("utf8") : undefined;
}

/** The bytes of one of the two fields; undefined where there is none. Throws a 400 for both, and for what is not base64. */
export function bytesOf(
  text: string | undefined,
  base64: string | undefined,
  name: "key" | "value",
): Buffer | undefined {
  if (base64 === undefined) return text === undefined ? undefined : Buffer.from(text, "utf8");
  if (text !== undefined) throw new Problem(`invalid_${name}`, `Give one of ${name} and ${name}_base64.`);
  if (!BASE64.test(base64)) throw new Problem(`invalid_${name}`, `${name}_base64 is not base64.`);
  return Buffer.from(base64, "base64");
}

/** The same bytes, each as a character (latin1). */
export function charactersOf(
  text: string | undefined,
  base64: string | undefined,
  name: "key" | "value",
): string | undefined {
  if (text !== undefined && base64 === undefined && ASCII.test(text)) return text;
  return bytesOf(text, base64, name)?.toString("latin1");
}

/**
 * A query string's parameters, each the bytes that were sent, as characters (latin1). Throws a 400 for what is malformed,
 * given twice, or repaired on its way: see `target.ts`.
 */
export function byteParametersOf({ url }: { url: string }): Record<string, string> {
  const start = url.indexOf("?");
  const parameters: Record<string, string> = Object.create(null);
  if (url.includes("#")) throw new Problem("invalid_parameter", "A '#' in a parameter must be sent as %23.");
  if (start === -1 || start === url.length - 1) return parameters;
  for (const pair of url.slice(start + 1).split("&")) {
    const [name = "", ...values] = pair.split("=");
    const value = values.join("=");
    if (name in parameters) throw new Problem("invalid_parameter", "A query parameter is given twice.");
    if (isRepaired(value) || !isWellEscaped(value)) {
      throw new Problem(
        "invalid_parameter",
        "A parameter holds a malformed percent escape, or bytes that must be escaped.",
      );
    }
    parameters[name] = unescaped(value.replaceAll("+", " "));
  }
  return parameters;
}
