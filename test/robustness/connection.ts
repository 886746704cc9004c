// A keep-alive connection to a server that knows, when a call fails, whether its request can have reached anyone. Bun's
// fetch does not say, and sends a request again by itself on a connection that was closed meanwhile.

import { connect, type Socket } from "node:net";

export interface Request {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface Answer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** A call without an answer. */
export class NoAnswer extends Error {
  constructor(
    /** For the report. */
    readonly code: "refused" | "connection_lost" | "timeout",
    /** Whether a byte of the request was given to the kernel to send. */
    readonly sent: boolean,
  ) {
    super(code);
  }
}

const HEAD_END = "\r\n\r\n";

export class Connection {
  private socket: Socket | undefined;

  constructor(private readonly port: number) {}

  /** Whether the server has not closed it since the last call. */
  get isOpen(): boolean {
    return this.socket !== undefined;
  }

  /** Makes one call; another one only when this has ended. Throws `NoAnswer`. */
  async call(request: Request, timeoutMs: number): Promise<Answer> {
    const socket = await this.open(timeoutMs);
    const answer = Promise.withResolvers<Answer>();
    let received = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const parsed = parseAnswer(received, request.method);
      if (parsed) answer.resolve(parsed);
    };
    const onClose = () => answer.reject(new NoAnswer("connection_lost", true));
    const timer = setTimeout(() => answer.reject(new NoAnswer("timeout", true)), timeoutMs);
    socket.on("data", onData).on("close", onClose);
    try {
      socket.write(textOf(request));
      const answered = await answer.promise;
      if (isLast(answered)) this.close();
      return answered;
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
      socket.off("data", onData).off("close", onClose);
    }
  }

  close() {
    this.socket?.destroy();
    this.socket = undefined;
  }

  private async open(timeoutMs: number): Promise<Socket> {
    if (this.socket) return this.socket;
    const socket = connect({ host: "127.0.0.1", port: this.port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        socket.destroy();
        reject(new NoAnswer("timeout", false));
      }, timeoutMs);
      socket.on("connect", () => {
        clearTimeout(timer);
        resolve();
      });
      // Stays, for an error without a listener would end the process; what follows it is "close".
      socket.on("error", () => {
        clearTimeout(timer);
        reject(new NoAnswer("refused", false));
      });
    });
    socket.on("close", () => {
      if (this.socket === socket) this.socket = undefined;
    });
    // The server's end of it: nothing may be sent on it any more.
    socket.on("end", () => {
      if (this.socket === socket) this.socket = undefined;
    });
    this.socket = socket;
    return socket;
  }
}

/** Whether the server takes no further request on that connection. */
export function isLast({ headers }: Answer): boolean {
  return headers.get("connection")?.toLowerCase() === "close";
}

function textOf({ method, path, headers = {}, body = "" }: Request): string {
  const lines = Object.entries({ Host: "localhost", ...headers, "Content-Length": String(Buffer.byteLength(body)) });
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n${body}`;
}

/** The answer once it is whole. */
function parseAnswer(bytes: Buffer, method: string): Answer | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const start = end + HEAD_END.length;
  const length = method === "HEAD" ? 0 : Number(headers.get("content-length") ?? 0);
  if (bytes.length < start + length) return undefined;
  return { status: Number(statusLine.split(" ")[1]), headers, body: bytes.toString("utf8", start, start + length) };
}
