// What the manifests call each other.

export const NAMESPACE = "vitess-kv";
/** Of the VitessCluster. */
export const CLUSTER = "vitess-kv";
/** What vtgates are reached by, whichever zone they are in. */
export const VTGATE_SERVICE = "vitess-kv-vtgate";
export const VTCTLD_SERVICE = "vitess-kv-vtctld";
/** Made by hand, because they hold passwords and tokens: README.md says how. */
export const DATABASE_SECRET = "vitess-kv-database";
export const SERVER_SECRET = "vitess-kv-server";

export const MYSQL_PORT = 3306;
/** Of each part of Vitess, as the operator gives it. */
export const GRPC_PORT = 15999;

/** The labels that the operator gives the pods of one component, or of all. */
export const vitessPods = (component?: string) => ({
  "planetscale.com/cluster": CLUSTER,
  ...(component && { "planetscale.com/component": component }),
});

export const metadata = (name: string, more: object = {}) => ({ name, namespace: NAMESPACE, ...more });
