// Types of imported files that are not TypeScript.

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

// As a module, which wrangler compiles.
declare module "*/zstd.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
