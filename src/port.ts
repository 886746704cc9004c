// Whether a port is free to serve on.

import { connect } from "node:net";

/** True when something listens on the port; a port that merely lingers in TIME_WAIT is free. */
export function portInUse(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Fails with a sentence when something listens on the port that a server shall serve on; 0 will be a free one. */
export async function requireFreePort(host: string, port: number) {
  if (port !== 0 && (await portInUse(host, port))) {
    throw new Error(`Port ${port} on ${host} is in use. Set PORT to another one.`);
  }
}
