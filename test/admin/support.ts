import { ResilienceAdminModule, type ResilienceAdminOptions } from '../../lib/admin/index.js';
import { ResilienceModule, type ResilienceModuleOptions } from '../../lib/index.js';
import { HttpApp, QUIET, type Settings } from '../support/http-app.js';
import { Contract } from './contract.js';

export type { Adapter } from '../support/http-app.js';

const BASE = '/resilience/api';

/** What the API answers. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests say what is in it
  readonly body: any;
}

/** An application with the API, listening on a real socket. */
export class AdminApp extends HttpApp {
  private contract: Contract | undefined = undefined;

  static start(
    admin: ResilienceAdminOptions,
    {
      resilience = {},
      imports = [],
      ...settings
    }: Settings & { resilience?: ResilienceModuleOptions } = {},
  ): Promise<AdminApp> {
    return AdminApp.listen({
      ...settings,
      imports: [
        ResilienceModule.forRoot({ ...QUIET, ...resilience }),
        ResilienceAdminModule.forRoot(admin),
        ...imports,
      ],
    }) as Promise<AdminApp>;
  }

  /** Asks, and sees to it that the answer is as the API's own document describes it. */
  async get(path: string): Promise<Answer> {
    return this.send('GET', path);
  }

  /** Has it change something; with a body as JSON. */
  async tell(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
    const control = { 'x-resilience-control': '1' };
    if (body === undefined) return this.send(method, path, { headers: control });
    const headers = { ...control, 'content-type': 'application/json' };
    return this.send(method, path, { headers, body: JSON.stringify(body) });
  }

  async send(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
    this.contract ??= new Contract(
      (await (await this.fetch(`${BASE}/openapi.json`)).json()) as Contract['document'],
    );
    const response = await this.fetch(BASE + path, { method, ...init });
    const text = await response.text();
    const body = text === '' ? undefined : (JSON.parse(text) as unknown);
    const [pathname = ''] = path.split('?', 1);
    const problems = this.contract.problems(method, pathname, response.status, body);
    if (problems.length > 0) throw new Error(`${method} ${path}: ${problems.join('; ')} ${text}`);
    return { status: response.status, headers: response.headers, body };
  }
}
