// Where the tests keep their data: fixed places, so that a run finds and clears up what a killed one has left.
// Short ones, for the sockets in them.

import { tmpdir } from "node:os";
import { join } from "node:path";

const inTmp = (name: string) => join(tmpdir(), `vitess-kv-${name}-${process.getuid?.() ?? 0}`);

/** Of the cluster and the plain MySQL that the suite runs against. */
export const SUITE_DIR = inTmp("test");
/** Of the small cluster that the launcher's tests start and stop. */
export const LAUNCHER_DIR = inTmp("launcher");
/** Of what the launcher's tests expect to fail. */
export const PROBLEMS_DIR = inTmp("problems");
/** Of the cluster that is resharded. */
export const RESHARD_DIR = inTmp("reshard");
/** Of the one that loses a machine and then everything, and of its backups. */
export const OPERATIONS_DIR = inTmp("operations");
export const BACKUPS_DIR = inTmp("backups");
/** Of the one whose primary and sweeping server are killed. */
export const FAILOVER_DIR = inTmp("failover");
/** Of the one that npm starts as in a container. */
export const CONTAINER_DIR = inTmp("container");
/** Of the one that things happen to under load. */
export const ROBUSTNESS_DIR = inTmp("robust");
/** Of the MySQL servers, and the MariaDB, that are configured wrongly, or for TLS. */
export const WRONG_DIR = inTmp("wrong");
/** Of podman's images, containers and volumes. */
export const PODMAN_DIR = inTmp("podman");
/** Of the one whose faults alerts have to tell of, and of the Prometheus that watches it. */
export const ALERTS_DIR = inTmp("alerts");
/** Says what `npm run test:up` has left running. */
export const KEPT_FILE = inTmp("kept.json");
