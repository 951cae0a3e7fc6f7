import { type DynamicModule, Module } from '@nestjs/common';
import { adminController } from '../admin/admin.controller.js';
import { AdminService } from '../admin/admin.service.js';
import { dashboardController } from './dashboard.controller.js';
import { type ResilienceDashboardOptions, resolveDashboardOptions } from './dashboard.options.js';
import { DashboardService } from './dashboard.service.js';

/**
 * A page that shows the application's resilience as it happens. It is part of the application: it
 * needs no build, loads nothing from elsewhere, and what it shows is this process alone; where that is one of
 * a fleet, also how the same policies are in all others, and its buttons can be for all of them.
 */
@Module({})
export class ResilienceDashboardModule {
  /**
   * Adds the page to the application; imported once, beside `ResilienceModule.forRoot()`.
   *
   * @throws ResilienceConfigurationError when the application boots, where options are wrong, or there is neither
   * a guard nor `public: true`
   *
   * @example
   * ResilienceDashboardModule.forRoot({ guard: AdminGuard, controls: true });
   */
  static forRoot(options: ResilienceDashboardOptions): DynamicModule {
    const module = ResilienceDashboardModule;
    try {
      const mount = resolveDashboardOptions(options);
      const api = adminController({ ...mount, path: `${mount.path}/api` });
      return {
        module,
        imports: mount.imports ?? [],
        controllers: [dashboardController(mount), api],
        providers: [AdminService, DashboardService],
      };
    } catch (error) {
      const fail = () => {
        throw error; // at boot, and not at the import of the file that has the options in it
      };
      return { module, providers: [{ provide: DashboardService, useFactory: fail }] };
    }
  }
}
