import { All, Inject, Req, Res, type Type } from '@nestjs/common';
import type { Mount } from './access.options.js';
import { AdminService } from './admin.service.js';
import { Api } from './api.js';
import { Exchange, type PlatformReply, type PlatformRequest } from './exchange.js';
import { mounted } from './mounted.js';

/** A controller below the path, behind the guard: a class of its own for each application. */
export function adminController(mount: Mount): Type<object> {
  const api = new Api(mount);

  class ResilienceAdminController {
    constructor(@Inject(AdminService) private readonly service: AdminService) {}

    /** What the parts say is read from the URL: each platform has wildcards of its own, and decodes in its own way. */
    @All([':first', ':first/:second', ':first/:second/:third'])
    async answer(@Req() request: PlatformRequest, @Res() reply: PlatformReply): Promise<void> {
      await api.answer(new Exchange(request, reply), this.service);
    }
  }

  return mounted(ResilienceAdminController, mount);
}
