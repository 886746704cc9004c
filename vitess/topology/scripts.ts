// The scripts and the file of settings that the containers, and the units of systemd, have in common.

import { applyUntil, UNAPPLIED } from "../run/relay-log.ts";
import { mysqlSettings } from "./mysql.ts";
import { GENERATED } from "./rendered.ts";
import { KEYSPACE, type Topology, vtgateUsers } from "./topology.ts";
import vschema from "./vschema.json";

/** my.cnf beyond what mysqlctl writes, for mysqlds that listen on an address. */
export function renderExtraCnf(bind: string): string {
  return [`# ${GENERATED}`, "[mysqld]", ...mysqlSettings(bind), ""].join("\n");
}

/** Starts a mysqld as the launcher does: new, or with the data that it has and what it had acknowledged applied first. */
export function renderStartMysqld(): string {
  return `#!/bin/sh
# ${GENERATED}
# Starts a tablet's mysqld, whose data is in DIR: start-mysqld DIR mysqlctl MYSQLCTL-FLAG…
set -eu
dir=$1
shift
if [ ! -e "$dir/initialized" ]; then
  # An earlier start was interrupted, or there was none.
  rm -rf "$dir"
  "$@" init
  touch "$dir/initialized"
  exit 0
fi
# Left by a mysqld that was killed; mysqlctl would wait for whatever process has its id now.
rm -f "$dir/mysql.pid" "$dir/mysql.sock.lock"
"$@" reinit_config
"$@" start
sql() {
  mysql --socket="$dir/mysql.sock" --user=vt_dba --raw --skip-column-names --execute="$1"
}
# What this replica has acknowledged and not applied may be the only copy: it is applied before vttablet starts.
gtids=$(sql "${UNAPPLIED}")
[ -z "$gtids" ] || sql "${applyUntil("$gtids")}; SELECT WAIT_FOR_EXECUTED_GTID_SET('$gtids')"
`;
}

/** Runs vtgate with the one user that may use it. */
export function renderRunVtgate(): string {
  return `#!/bin/sh
# ${GENERATED}
# Runs vtgate for one user, whose password is KV_PASSWORD: run-vtgate VTGATE-FLAG…
set -eu
umask 077
users="$VTDATAROOT/vtgate-users.json"
# Renamed, because another vtgate may be reading it.
printf '${vtgateUsers("%s")}' "$KV_PASSWORD" > "$users.$$"
mv "$users.$$" "$users"
exec vtgate "$@"
`;
}

/** Lines of a shell that wait for vtctld and make an empty cluster this one, as often as they are run. */
export function setupScript({ vtctld, setup }: Topology, host: string): string {
  const client = `vtctldclient --server=${host}:${vtctld.ports.grpc}`;
  return [
    `until ${client} GetKeyspaces; do sleep 1; done`,
    ...setup.map(({ unless, call }) => `${client} ${unless.join(" ")} || ${client} ${call.join(" ")}`),
    `${client} ApplyVSchema --vschema='${JSON.stringify(vschema)}' ${KEYSPACE}`,
  ].join("\n");
}
