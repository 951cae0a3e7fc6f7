import { type DynamicModule, Module } from '@nestjs/common';
import { adminController } from './admin.controller.js';
import { type ResilienceAdminOptions, resolveAdminOptions } from './admin.options.js';
import { AdminService } from './admin.service.js';

/**
 * The application's resilience as JSON over HTTP, for scripts and for tools of your own: what there is, how it
 * stands, what has happened, and with `controls` what shall be. `GET …/openapi.json` describes all of it.
 */
@Module({})
export class ResilienceAdminModule {
  /**
   * Adds the control API to the application; imported once, beside `ResilienceModule.forRoot()`.
   *
   * @throws ResilienceConfigurationError when the application boots, where options are wrong, or there is neither
   * a guard nor `public: true`
   *
   * @example
   * ResilienceAdminModule.forRoot({ guard: AdminGuard, controls: true });
   */
  static forRoot(options: ResilienceAdminOptions): DynamicModule {
    const module = ResilienceAdminModule;
    try {
      const mount = resolveAdminOptions(options);
      return {
        module,
        imports: mount.imports ?? [],
        controllers: [adminController(mount)],
        providers: [AdminService],
      };
    } catch (error) {
      const fail = () => {
        throw error; // at boot, and not at the import of the file that has the options in it
      };
      return { module, providers: [{ provide: AdminService, useFactory: fail }] };
    }
  }
}
