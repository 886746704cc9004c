// What the server uses of Deno, whose own types stand against those of Bun.

declare namespace Deno {
  interface HttpServer {
    addr: { port: number };
    /** Resolves once no connection is open. */
    finished: Promise<void>;
    /** Takes no more connections, and resolves once what is in flight is finished. */
    shutdown(): Promise<void>;
  }

  function serve(
    options: {
      hostname: string;
      port: number;
      reusePort: boolean;
      /** Closes everything when it fires. */
      signal: AbortSignal;
      onListen: () => void;
      cert?: string;
      key?: string;
    },
    handler: (request: Request) => Response | Promise<Response>,
  ): HttpServer;
}
