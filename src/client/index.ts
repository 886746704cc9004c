// The client's public face.

export { createClient } from "./client.ts";
export { KVError } from "./error.ts";
export type * from "./types.ts";
