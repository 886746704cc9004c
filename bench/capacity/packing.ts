// Values that servers pack: what is left of their bytes.

import type { InputName } from "./measured.ts";
import type { Values } from "./quantity.ts";
import type { Design, Target } from "./target.ts";

/** Of what a row says of its value: the dictionary's id, and the value's length. */
const DESCRIPTION_BYTES = 17;

/** Of a value, as its row has it. */
export function storedBytesOf({ valueBytes }: Target, { packing }: Design, inputs: Values<InputName>): number {
  return packing === "dictionary" ? valueBytes * inputs.packedShare + DESCRIPTION_BYTES : valueBytes;
}
