// What this program uses of the Workers runtime. Cloudflare's own types would replace Bun's everywhere.

declare module "cloudflare:workers" {
  /** The bindings and variables of wrangler.toml and of the deployment, there from the start. */
  export const env: {
    HYPERDRIVE: { host: string; port: number; user: string; password: string; database: string };
  } & Record<string, unknown>;
  /** Keeps the invocation that is at work alive after its answer, or without a client, until the promise settles. */
  export function waitUntil(promise: Promise<unknown>): void;
}
