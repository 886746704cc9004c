// What stands for a shard in labels: its name, or, where there are too many of them, the part of the key space that it is
// in. So no server has more than SHARDS values of the label, however many shards there are.

/** Also the number of parts. A power of two, so that a part is some first bits of a keyspace id. */
export const SHARDS = 64;
const PART = 256 / SHARDS;

/** Makes the label of a shard, `names` being all that there are. */
export function shardLabels(names: () => string[]): (shard: string) => string {
  return (shard) => (names().length > SHARDS ? partOf(shard) : shard);
}

/** As a shard of that range would be called: of `4980-49a0` it is `48-4c`. */
function partOf(shard: string): string {
  const first = Number.parseInt(shard.slice(0, 2), 16) || 0;
  const start = first - (first % PART);
  return `${hex(start) ?? ""}-${hex(start + PART) ?? ""}`;
}

function hex(byte: number): string | undefined {
  return byte === 0 || byte === 256 ? undefined : byte.toString(16).padStart(2, "0");
}
