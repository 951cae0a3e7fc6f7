import { Get, Inject, Req, Res, ServiceUnavailableException, type Type } from '@nestjs/common';
import type { Mount } from '../admin/access.options.js';
import { Exchange, type PlatformReply, type PlatformRequest } from '../admin/exchange.js';
import { mounted } from '../admin/mounted.js';
import { refuseOtherReaders } from '../admin/same-origin.js';
import { DashboardService } from './dashboard.service.js';
import { PAGE_POLICY, page } from './page/page.js';

/** A controller at the path, behind the guard: a class of its own for each application. */
export function dashboardController(mount: Mount): Type<object> {
  const { controls, instance } = mount;

  class ResilienceDashboardController {
    constructor(@Inject(DashboardService) private readonly dashboard: DashboardService) {}

    @Get()
    page(@Req() request: PlatformRequest, @Res() reply: PlatformReply): void {
      const headers = {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': PAGE_POLICY,
        'referrer-policy': 'same-origin',
      };
      const { hasFleet } = this.dashboard;
      new Exchange(request, reply).begin(200, headers).end(page({ controls, instance, hasFleet }));
    }

    /** Server-Sent Events, each a `Frame`. */
    @Get('events')
    events(@Req() request: PlatformRequest, @Res() reply: PlatformReply): void {
      const exchange = new Exchange(request, reply);
      refuseOtherReaders(exchange);
      const { stream } = this.dashboard;
      if (!stream?.open) throw new ServiceUnavailableException('The dashboard is not open now');
      const response = exchange.begin(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'x-accel-buffering': 'no', // nginx would collect the events
      });
      if (exchange.request.method === 'HEAD') response.end();
      else stream.add(response);
    }
  }

  return mounted(ResilienceDashboardController, mount);
}
