// The port on which a process serves: HTTP, or HTTPS with a certificate that is read again when it changes.

import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { follow } from "./follow.ts";

type Options = Bun.Serve.Options<undefined> & { hostname: string; port: number; reusePort: boolean };

/** Names of PEM files. The first may hold a chain. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

export interface Listener {
  /** What clients call. */
  url: string;
  port: number;
  /** Takes no more connections, and ends when each that is open has ended; at once if they are to be closed. */
  stop: (closeConnections?: boolean) => Promise<void>;
}

/** Resolves when the port is open. Throws an Error where it can't be had, or where the certificate can't be used. */
export async function listen(options: Options, files: CertificateFiles | undefined, log: Logger): Promise<Listener> {
  const open = new Set<Bun.Server<undefined>>();
  let port = options.port;
  let isStopping = false;

  function serve(more: Partial<Options> = {}): Bun.Server<undefined> {
    const server = Bun.serve({ ...options, port, ...more } as Options);
    port = server.port as number;
    open.add(server);
    return server;
  }

  /** Bun can't change the certificate of an open port, but another server can open the same port before it closes. */
  function serveEncrypted(pem: string): Bun.Server<undefined> {
    const previous = [...open];
    const server = serve({ reusePort: true, tls: { cert: pem, key: pem } });
    for (const each of previous) each.stop().then(() => open.delete(each));
    return server;
  }

  async function start(): Promise<Bun.Server<undefined>> {
    if (!files) return serve();
    const first = await readCertificate(files);
    const server = serveEncrypted(first);
    follow({
      read: () => readPem(files),
      seen: first,
      onChange: (pem) => {
        if (isStopping) return;
        serveEncrypted(requirePair(pem));
        log.info("certificate read");
      },
      onFailure: (reason) => log.error({ reason }, "the certificate can't be used, and stays as it was"),
    });
    return server;
  }

  const { url } = await start();
  return {
    url: url.href,
    port,
    stop: async (closeConnections) => {
      isStopping = true;
      await Promise.all([...open].map((server) => server.stop(closeConnections)));
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
