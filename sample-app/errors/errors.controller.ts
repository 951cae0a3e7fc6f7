import { Controller, Get } from '@nestjs/common';
import { ErrorTracker } from 'nestjs-bulwark';

@Controller('errors')
export class ErrorsController {
  constructor(private readonly errors: ErrorTracker) {}

  @Get()
  recent() {
    const { total, requests, byType, byOperation, byUpstream } = this.errors.getMetrics();
    return {
      total,
      requests,
      byType: Object.fromEntries(byType),
      byOperation: Object.fromEntries(byOperation),
      byUpstream: Object.fromEntries(byUpstream),
      // Not the error itself: it may hold what is none of a client's business.
      recent: this.errors
        .getRecentErrors(20)
        .map(({ type, message, context, handled, timestamp }) => ({
          type,
          message,
          operation: context.operation,
          upstream: context.upstream,
          handled,
          timestamp,
        })),
    };
  }
}
