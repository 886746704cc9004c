// Every mysqld's my.cnf, and how much memory it may take.

/** Of each mysqld, where the machine's size is not known. */
const BUFFER_POOL_MB = 512;
/** Of the machine's memory, all buffer pools together; the least and the most of each. */
const BUFFER_POOLS_SHARE = 0.4;
const BUFFER_POOL_BOUNDS_MB = { least: 128, most: 4096 };
/** InnoDB enlarges a pool by this much at a time. */
const BUFFER_POOL_CHUNK_MB = 128;
/** Most of it: after a crash it is read again from beginning to end. */
const REDO_LOG_MB = 1024;
/** Of mysqld outside its buffer pool, as resident memory under load. */
const OVERHEAD_MB = 250;
/** The memory of a mysqld: with the smallest buffer pool, and where the machine's size is not known. */
export const LEAST_MYSQLD_MB = BUFFER_POOL_BOUNDS_MB.least + OVERHEAD_MB;
export const MYSQLD_MB = BUFFER_POOL_MB + OVERHEAD_MB;

/** The buffer pool of each of so many mysqlds on a machine with so much memory. */
export function bufferPoolMb(machineMb: number, mysqlds: number): number {
  const { least, most } = BUFFER_POOL_BOUNDS_MB;
  const each = Math.min(most, (machineMb * BUFFER_POOLS_SHARE) / mysqlds);
  return Math.max(least, BUFFER_POOL_CHUNK_MB * Math.floor(each / BUFFER_POOL_CHUNK_MB));
}

/** Lines of my.cnf, beyond those that mysqlctl writes itself, for every mysqld. */
export function mysqlSettings(bind: string, poolMb = BUFFER_POOL_MB): string[] {
  return [
    `bind-address=${bind}`,
    "sync_binlog=1",
    "innodb_flush_log_at_trx_commit=1",
    // A replica acknowledges what is in its relay log: that too must be on disk by then.
    "sync_relay_log=1",
    // And it must be applied after a restart, for its primary may be gone: mysqlctl's own setting would throw it away.
    "relay_log_recovery=OFF",
    // From a primary that has gone silent, stopped or cut off, no connection is ever refused: another is elected when all
    // replicas have waited for this long. It must be more than a busy machine's pauses.
    "replica_net_timeout=4",
    // That sync comes after every event, not every transaction. A compressed transaction is two events, where it was four
    // and one more for each change between rows that it makes and rows that it overwrites: forty, of a batch of both.
    "binlog_transaction_compression=ON",
    "binlog_transaction_compression_level_zstd=1",
    // Within it, too, the rows of a batch should be one event, not fifty.
    "binlog_row_event_max_size=1048576",
    // Copies a server that runs: for backups and new tablets.
    "plugin-load-add=mysql_clone.so",
    // It would hold the keys and values of whatever was slow.
    "slow_query_log=OFF",
    // Rows are logged without the values that they had: what expires is deleted without being sent to the replicas.
    "binlog_row_image=NOBLOB",
    // No gap locks: two writers of different keys never wait for each other.
    "transaction-isolation=READ-COMMITTED",
    // Statements read the clock with SYSDATE(), whose conversion to epoch time is exact in UTC only.
    "default-time-zone=+00:00",
    ...Object.entries(memorySettings(poolMb)).map(([name, mb]) => `${name}=${mb}M`),
    // A statement that waits longer gives up what it has locked, and is sent again. For a moment after a split one that is
    // refused may hold rows in two shards: nobody else would end two that wait for each other there.
    "innodb_lock_wait_timeout=3",
    // Of each eight pages InnoDB keeps one empty, so that rows in order lie together for scans. Here there are none.
    "innodb_segment_reserve_factor=1",
    // What a rebuild leaves free for rows that come later, and how much may be written beside it.
    "innodb_fill_factor=90",
    "innodb_online_alter_log_max_size=4G",
    "max_connections=1000",
  ];
}

/** The settings, in MB, that follow the machine's memory; InnoDB can change them while it runs. */
export function memorySettings(poolMb: number) {
  return {
    innodb_buffer_pool_size: poolMb,
    // Changed pages are written when there is time, not whenever the default's 100 MB are full.
    innodb_redo_log_capacity: Math.min(poolMb, REDO_LOG_MB),
  };
}
