import type { RedisClient } from '../../lib/redis/index.js';
import { CLIENTS } from './clients.js';
import { FleetSide } from './fleet-side.js';

/** A process that has nothing to do but to be linked, and tells when it is. */
const [, , name = '', ...ports] = process.argv;
const nodes = ports.map((port) => ({ connection: { host: '127.0.0.1', port: Number(port) } }));
const client = CLIENTS[name]?.make(nodes) as RedisClient;
const side = new FleetSide({ client, namespace: `${name} idle` });
await side.up();
console.log('up');
