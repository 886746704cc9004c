// What distinguishes one cluster from another: its shards, its tablets and their numbers, and the ports that follow.

/** Most of one shard: its share of uids and ports. */
const TABLETS_PER_SHARD = 9;

/** What distinguishes one cluster from another; kept in its data folder, so that a second start finds the same cluster. */
export interface Settings {
  portBase: number;
  tablets: TabletSettings[];
  /** While it is being resharded: the shards that take over. Their tablets are among the tablets already. */
  resharding?: string[];
  /** Tablets that are to be stopped and deleted: of shards that were resharded, or removed. */
  retired?: TabletSettings[];
  /** A tablet that gets its data still; no shard counts on it. */
  adding?: TabletSettings;
  /** While it is being made from a backup: until that is finished it holds nothing of worth. */
  restoring?: true;
}

export interface TabletSettings {
  /** Unique in the cell; also its server id and the name of its folder, and what its ports follow from. */
  uid: number;
  shard: string;
  /** It has served: without its data it is lost, and not new. */
  served?: true;
}

/** Key ranges of `count` equal shards (a power of two, up to 256), as Vitess names them: `-80`, `80-`. */
export function shardNames(count: number): string[] {
  if (!Number.isInteger(Math.log2(count)) || count > 256) {
    throw new RangeError(`shards must be a power of two from 1 to 256, not ${count}`);
  }
  const bound = (i: number) =>
    i === 0 || i === count
      ? ""
      : Math.round((i * 256) / count)
          .toString(16)
          .padStart(2, "0");
  return Array.from({ length: count }, (_, i) => `${bound(i)}-${bound(i + 1)}`);
}

/** Settings of a new cluster: tablets 100, 101, … for the first shard, 200, 201, … for the second. */
export function newSettings(shards: number, tabletsPerShard: number, portBase: number): Settings {
  if (!Number.isInteger(tabletsPerShard) || tabletsPerShard < 1 || tabletsPerShard > TABLETS_PER_SHARD) {
    throw new RangeError(`tablets must be 1 to ${TABLETS_PER_SHARD} a shard, not ${tabletsPerShard}`);
  }
  const tablets = newTablets(shardNames(shards), tabletsPerShard, []);
  if (!Number.isInteger(portBase) || portBase < 1024) throw outOfPorts(portBase);
  return withinPorts({ portBase, tablets });
}

/** The settings with tablets for more shards, as many for each as the largest of its shards has. */
export function withShards(settings: Settings, shards: string[]): Settings {
  const { tablets, retired = [] } = settings;
  const perShard = Math.max(
    ...Object.values(Object.groupBy(tablets, ({ shard }) => shard)).map((each) => each?.length ?? 0),
  );
  const added = newTablets(shards, perShard, [...tablets, ...retired]);
  return withinPorts({ ...settings, tablets: [...tablets, ...added] });
}

/** The settings with one more tablet for a shard, not yet among those that it counts on. */
export function withTablet(settings: Settings, shard: string): Settings & { adding: TabletSettings } {
  const { tablets, retired = [] } = settings;
  const ours = tablets.filter((tablet) => tablet.shard === shard);
  const first = 100 * Math.floor((ours[0]?.uid ?? 0) / 100);
  const taken = [...tablets, ...retired].map(({ uid }) => uid);
  const free = Array.from({ length: TABLETS_PER_SHARD }, (_, i) => first + i).find((uid) => !taken.includes(uid));
  if (free === undefined) throw new RangeError(`a shard has at most ${TABLETS_PER_SHARD} tablets`);
  return { ...settings, adding: { uid: free, shard } };
}

/** The settings of a cluster whose tablets have all served, so that one without its data is lost, and not new. */
export function withServed(settings: Settings): Settings {
  return { ...settings, tablets: settings.tablets.map((tablet) => ({ ...tablet, served: true })) };
}

/** Each shard takes the lowest hundred of uids in which there is no tablet. */
function newTablets(shards: string[], perShard: number, others: TabletSettings[]): TabletSettings[] {
  const taken = new Set(others.map(({ uid }) => Math.floor(uid / 100)));
  return shards.flatMap((shard) => {
    let hundred = 1;
    while (taken.has(hundred)) hundred += 1;
    taken.add(hundred);
    return Array.from({ length: perShard }, (_, i) => ({ uid: 100 * hundred + i, shard }));
  });
}

/**
 * A tablet's three ports. Ports 0 to 49 above the base are the servers'; from there on each hundred of uids has its
 * share, whichever tablets there are, so that a tablet keeps its ports when others come and go.
 */
export function tabletPorts(portBase: number, uid: number): [http: number, grpc: number, mysql: number] {
  const first = portBase + 50 + 3 * ((Math.floor(uid / 100) - 1) * TABLETS_PER_SHARD + (uid % 100));
  return [first, first + 1, first + 2];
}

function withinPorts(settings: Settings): Settings {
  const { portBase, tablets } = settings;
  if (tablets.some(({ uid }) => tabletPorts(portBase, uid)[2] > 65535)) throw outOfPorts(portBase);
  return settings;
}

function outOfPorts(portBase: number) {
  return new RangeError(`port base must leave room between 1024 and 65535, not ${portBase}`);
}
