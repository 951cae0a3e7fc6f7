export { RedisFleet, type RedisFleetOptions } from './redis-fleet.js';
