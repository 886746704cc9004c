// Files that are imported and are no programs.

// As texts, with what Bun calls `type: "text"` and wrangler.toml a rule.

declare module "swagger-ui-dist/swagger-ui-bundle.js" {
  const text: string;
  export default text;
}

declare module "swagger-ui-dist/swagger-ui.css" {
  const text: string;
  export default text;
}

declare module "*/built/page.js" {
  const text: string;
  export default text;
}

declare module "*/built/page.css" {
  const text: string;
  export default text;
}

// wrangler compiles it.
declare module "*/zstd.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
