// The port on which a process serves: HTTP, or HTTPS with a certificate that is read again when it changes.

import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { follow } from "./follow.ts";
import type { OpenPort, PortOptions, Runtime } from "./runtime.ts";

/** Names of PEM files. The first may hold a chain. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** Resolves when the port is open. Throws an Error where it can't be had, or where the certificate can't be used. */
export async function listen(
  runtime: Runtime,
  options: PortOptions,
  files: CertificateFiles | undefined,
  log: Logger,
): Promise<OpenPort> {
  if (!files) return runtime.open(options);
  const open = new Set<OpenPort>();
  let port = options.port;
  let isStopping = false;

  /** The certificate of an open port can't be changed, but the same port can be opened again before it closes. */
  function serve(pem: string): OpenPort {
    const previous = [...open];
    const opened = runtime.open({ ...options, port, reusePort: true, pem });
    port = opened.port;
    open.add(opened);
    for (const each of previous) each.stop().then(() => open.delete(each));
    return opened;
  }

  const first = await readCertificate(files);
  const { url } = serve(first);
  follow({
    read: () => readPem(files),
    seen: first,
    onChange: (pem) => {
      if (isStopping) return;
      serve(requirePair(pem));
      log.info("certificate read");
    },
    onFailure: (reason) => log.error({ reason }, "the certificate can't be used, and stays as it was"),
  });
  return {
    ...{ url, port },
    stop: async (closeConnections) => {
      isStopping = true;
      await Promise.all([...open].map((each) => each.stop(closeConnections)));
    },
  };
}

/**
 * A certificate with its key, in one text, of which OpenSSL takes for each what it is. Throws an Error that names the
 * variable where a file can't be read or the two don't belong together.
 */
export async function readCertificate(files: CertificateFiles): Promise<string> {
  return requirePair(await readPem(files));
}

async function readPem({ cert, key }: CertificateFiles): Promise<string> {
  return `${await read("KV_TLS_CERT", cert)}\n${await read("KV_TLS_KEY", key)}`;
}

function requirePair(pem: string): string {
  try {
    createSecureContext({ cert: pem, key: pem });
  } catch (error) {
    throw new Error(`KV_TLS_CERT, KV_TLS_KEY: not a certificate and its key in PEM (${(error as Error).message})`);
  }
  return pem;
}

async function read(variable: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new Error(`${variable}: ${(error as NodeJS.ErrnoException).code}`);
  }
}
