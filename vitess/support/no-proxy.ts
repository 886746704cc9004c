// This machine is reached directly: a proxy that the environment names would look for it at itself. Bun reads the variable
// at each fetch.

process.env.NO_PROXY = ["localhost,127.0.0.1,::1", process.env.NO_PROXY || process.env.no_proxy]
  .filter(Boolean)
  .join(",");
