// A container's health check: ends with 0 if the server in it answers, whether or not its database does.

const { PORT = "8787", KV_TLS_CERT } = process.env;
// Its certificate is for the name that clients use, which is not this address.
const answer = await fetch(`${KV_TLS_CERT ? "https" : "http"}://127.0.0.1:${PORT}/healthz`, {
  tls: { rejectUnauthorized: false },
});
process.exit(answer.ok ? 0 : 1);

export {};
