// In place of readline-sync on a Worker, which has no terminal (see wrangler.toml): fengari's debugger would read from one.

export function setDefaultOptions() {}
