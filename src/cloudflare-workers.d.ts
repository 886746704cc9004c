// What this program uses of the Workers runtime. Cloudflare's own types would replace Bun's everywhere.

declare module "cloudflare:workers" {
  /** The bindings and variables of wrangler.toml and of the deployment, there from the start. */
  export const env: {
    HYPERDRIVE: { host: string; port: number; user: string; password: string; database: string };
  } & Record<string, unknown>;
}
