import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.js';
import { type Redis, startRedis } from '../../support/redis.js';
import { type RedisCluster, SLOTS } from '../../support/redis-cluster.js';
import { type SingleServer, startServer } from '../../support/server-process.js';
import { eventually } from './eventually.js';
import { tell } from './redis-admin.js';

const HOST = '127.0.0.1';

/** It has all that the master has. */
export async function startReplica(master: Redis): Promise<Redis> {
  const { port } = master.connection;
  await tell(port, 'CONFIG', 'SET', 'repl-diskless-sync-delay', 0); // it need not wait for others
  const replica = await startRedis({ replicaof: `${HOST} ${port}` });
  await eventually('the replica is in step', async () =>
    String(await tell(replica.connection.port, 'INFO', 'replication')).includes(
      'master_link_status:up',
    ),
  );
  return replica;
}

export interface Sentinel extends SingleServer {
  readonly port: number;
}

/** Watches a master by the name `shop`, and promotes its replica soon after it is lost. */
export async function startSentinel(master: Redis): Promise<Sentinel> {
  const port = await freePort();
  const server = await startServer({
    package: '`redis-server` (Debian, Ubuntu) or `redis` (others)',
    inFolder: (folder) => {
      const config = join(folder, 'sentinel.conf');
      const lines = [
        `port ${port}`,
        `bind ${HOST}`,
        `dir ${folder}`,
        `sentinel monitor shop ${HOST} ${master.connection.port} 1`,
        'sentinel down-after-milliseconds shop 500',
        'sentinel failover-timeout shop 5000',
      ];
      writeFileSync(config, lines.join('\n'));
      return { command: 'redis-server', args: [config, '--sentinel'] };
    },
    ready: '+monitor master shop',
  });
  await eventually('the sentinel knows the replica', async () =>
    String(await tell(port, 'INFO', 'sentinel')).includes('slaves=1'),
  );
  return { port, ...server };
}

/** One slot of a cluster, on its way from one node to the next. */
export class MovingSlot {
  private constructor(
    private readonly slot: number,
    private readonly source: number,
    private readonly target: number,
    private readonly others: readonly number[],
  ) {}

  /** That of a key. */
  static async of(key: string, { nodes }: RedisCluster): Promise<MovingSlot> {
    const ports = nodes.map(({ connection }) => connection.port);
    const slot = Number(await tell(ports[0] as number, 'CLUSTER', 'KEYSLOT', key));
    const at = Math.floor((slot * ports.length) / SLOTS);
    const [source, target, ...others] = [...ports.slice(at), ...ports.slice(0, at)];
    return new MovingSlot(slot, source as number, target as number, others);
  }

  /** Its keys are at the next node already, of which the cluster does not know yet. */
  async begin(): Promise<void> {
    const { slot, source, target } = this;
    await tell(target, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(source));
    await tell(source, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(target));
    const keys = (await tell(source, 'CLUSTER', 'GETKEYSINSLOT', slot, 1_000)) as string[];
    if (keys.length > 0)
      await tell(source, 'MIGRATE', HOST, target, '', 0, 5_000, 'REPLACE', 'KEYS', ...keys);
  }

  async end(): Promise<void> {
    const { slot, source, target, others } = this;
    const id = await idOf(target);
    for (const port of [target, source, ...others])
      await tell(port, 'CLUSTER', 'SETSLOT', slot, 'NODE', id);
  }
}

async function idOf(port: number): Promise<string> {
  return String(await tell(port, 'CLUSTER', 'MYID'));
}
