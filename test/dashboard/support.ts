import type { IncomingMessage } from 'node:http';
import type { Frame } from '../../lib/dashboard/frame.js';
import {
  ResilienceDashboardModule,
  type ResilienceDashboardOptions,
} from '../../lib/dashboard/index.js';
import { ResilienceModule, type ResilienceModuleOptions } from '../../lib/index.js';
import { closeAll } from '../binding/support.js';
import { type Adapter, HttpApp, QUIET, type Settings } from '../support/http-app.js';

export { type Adapter, closeAll };

/** An application with the dashboard, listening on a real socket. */
export class DashboardApp extends HttpApp {
  static start(
    dashboard: ResilienceDashboardOptions,
    {
      resilience = {},
      imports = [],
      ...settings
    }: Settings & { resilience?: ResilienceModuleOptions } = {},
  ): Promise<DashboardApp> {
    return DashboardApp.listen({
      ...settings,
      imports: [
        ResilienceModule.forRoot({ ...QUIET, ...resilience }),
        ResilienceDashboardModule.forRoot(dashboard),
        ...imports,
      ],
    }) as Promise<DashboardApp>;
  }

  /** Presses a button, as the page does. */
  press(button: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(`/resilience/api/breakers/${button}`, {
      method: 'POST',
      headers: { 'x-resilience-control': '1', ...headers },
    });
  }

  /** Watches the stream; what does not come in half a minute fails the test. */
  async watch(path = '/resilience/events', headers: Record<string, string> = {}): Promise<Watcher> {
    return new Watcher(await this.request('GET', path, headers));
  }
}

/** Somebody who watches, without a browser. */
export class Watcher {
  readonly frames: Frame[] = [];
  private unread = '';
  private readonly checks = new Set<() => void>();
  ended = false;

  constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.take(text));
    response.on('error', () => undefined);
    response.on('close', () => {
      this.ended = true;
      this.notify();
    });
  }

  /** The first frame that satisfies, of those that have come and those that come. */
  async frame(satisfies: (frame: Frame) => boolean, what = 'a frame'): Promise<Frame> {
    await this.until(() => this.frames.some(satisfies), what);
    return this.frames.find(satisfies) as Frame;
  }

  until(holds: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.checks.delete(check);
        reject(new Error(`${what} did not come`));
      }, 30_000);
      const check = () => {
        if (!holds()) return;
        clearTimeout(late);
        this.checks.delete(check);
        resolve();
      };
      this.checks.add(check);
      check();
    });
  }

  private take(text: string): void {
    const messages = (this.unread + text).split('\n\n');
    this.unread = messages.pop() ?? '';
    for (const message of messages) {
      if (message.startsWith('data: ')) this.frames.push(JSON.parse(message.slice(6)) as Frame);
    }
    this.notify();
  }

  private notify(): void {
    for (const check of [...this.checks]) check();
  }
}
