import { Redis } from 'ioredis';

/** One command for a server, by a connection of its own. */
export async function tell(
  port: number,
  ...command: readonly (string | number)[]
): Promise<unknown> {
  const [name, ...args] = command.map(String);
  const connection = new Redis({ host: '127.0.0.1', port, lazyConnect: true });
  try {
    return await connection.call(name as string, args);
  } finally {
    connection.disconnect();
  }
}
