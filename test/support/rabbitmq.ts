import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { type ServerProcess, startServer } from './server-process.js';

/** A RabbitMQ of the test's own, which keeps nothing. */
export interface RabbitMq extends ServerProcess {
  readonly url: string;
}

/** That of Debian, which its script in the path would run as another user, with the configuration of the system. */
const DEBIAN = '/usr/lib/rabbitmq/bin/rabbitmq-server';

/**
 * It has a name, ports and a folder of its own, and its own daemon for the names of nodes, which would
 * outlive it otherwise.
 *
 * @throws where there is no `rabbitmq-server`, or it does not start
 */
export async function startRabbitMq(): Promise<RabbitMq> {
  const [port, distPort, namesPort] = [await freePort(), await freePort(), await freePort()];
  const names = await startServer({
    package: '`rabbitmq-server`',
    inFolder: () => ({
      command: 'epmd',
      args: ['-d', '-d', '-address', '127.0.0.1', '-port', String(namesPort)],
    }),
    ready: 'entering the main select() loop',
  });
  try {
    const server = await startServer({
      package: '`rabbitmq-server`',
      inFolder: (folder) => {
        const config = join(folder, 'rabbitmq.conf');
        writeFileSync(config, `listeners.tcp.1 = 127.0.0.1:${port}\nlog.console = true\n`);
        const plugins = join(folder, 'enabled_plugins');
        writeFileSync(plugins, '[].');
        return {
          command: existsSync(DEBIAN) ? DEBIAN : 'rabbitmq-server',
          args: [],
          env: {
            HOME: folder,
            ERL_EPMD_PORT: String(namesPort),
            RABBITMQ_NODENAME: `bulwark-${port}@localhost`,
            RABBITMQ_DIST_PORT: String(distPort),
            RABBITMQ_CONFIG_FILE: config,
            RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
            RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
            RABBITMQ_MNESIA_BASE: join(folder, 'data'),
            RABBITMQ_LOG_BASE: join(folder, 'log'),
            RABBITMQ_PID_FILE: join(folder, 'pid'),
          },
        };
      },
      ready: 'Server startup complete',
    });
    return {
      url: `amqp://guest:guest@127.0.0.1:${port}`,
      async stop() {
        await server.stop();
        await names.stop();
      },
    };
  } catch (error) {
    await names.stop();
    throw error;
  }
}
