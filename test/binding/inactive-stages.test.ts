import {
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type NestInterceptor,
  Post,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import { Observable, of } from 'rxjs';
import { Fallback, Hedge, ResilienceService, Retry, Timeout } from '../../lib/index.js';
import { type Booted, boot, closeAll } from './support.js';

afterEach(closeAll);

/** The stages of each operation, by name. */
function stagesOf({ app }: Booted): Record<string, string[]> {
  const described = app.get(ResilienceService).describe();
  return Object.fromEntries(
    described.map(({ operation, stages }) => [operation, Object.keys(stages)]),
  );
}

interface Reply {
  end(): void;
}

describe('What would do harm is inactive, and boot says why', () => {
  it('@Retry() on a handler that may not be repeated', async () => {
    @Controller()
    class Shop {
      @Post('buy')
      @Retry()
      @Timeout(50)
      async buy(): Promise<void> {}
      @Post('pay')
      @Retry({ idempotent: true })
      async pay(): Promise<void> {}
      @Get('look')
      @Retry()
      async look(): Promise<void> {}
    }
    const booted = await boot({ controllers: [Shop] });
    expect(stagesOf(booted)).toEqual({
      'Shop.buy': ['timeout'],
      'Shop.pay': ['retry'],
      'Shop.look': ['retry'],
    });
    expect(booted.logger.messages('warn')).toEqual([
      'Shop.buy: @Retry() is inactive, because repeating this handler may do harm; idempotent: true says that it does not',
    ]);
  });

  it('@Hedge() on a handler that may not be made twice, or that sends its response itself', async () => {
    @Controller()
    class Shop {
      @Post('buy')
      @Hedge(50)
      @Timeout(50)
      async buy(): Promise<void> {}
      @Get('sent')
      @Hedge(50)
      @Timeout(50)
      async sent(@Res() reply: Reply): Promise<void> {
        reply.end();
      }
      @Get('look')
      @Hedge(50)
      async look(@Res({ passthrough: true }) _reply: Reply): Promise<void> {}
    }
    const booted = await boot({ controllers: [Shop] });
    expect(stagesOf(booted)).toEqual({
      'Shop.buy': ['timeout'],
      'Shop.sent': ['timeout'],
      'Shop.look': ['hedge'],
    });
    expect(booted.logger.messages('warn')).toEqual([
      'Shop.buy: @Hedge() is inactive, because making this handler twice may do harm',
      'Shop.sent: @Hedge() is inactive, because two of this handler at once would both send the response; use @Res({ passthrough: true })',
    ]);
  });

  it('@Hedge() and @Retry() around handlers, for the requests that may not be repeated', async () => {
    @Injectable()
    class Around implements NestInterceptor {
      @Retry()
      @Hedge(50)
      async intercept(_: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
        return next.handle();
      }
    }
    @Injectable()
    class Plain implements NestInterceptor {
      @Timeout(50)
      intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
        return next.handle();
      }
    }
    @Injectable()
    class Allowed implements CanActivate {
      @Retry()
      async canActivate(): Promise<boolean> {
        return true;
      }
    }
    @Controller()
    class Tools {
      @Get('use')
      @Retry()
      async use(): Promise<void> {}
    }
    @Controller()
    @UseInterceptors(Around, Plain)
    class Shop {}
    const booted = await boot({ controllers: [Shop, Tools], providers: [Allowed] });
    const around = 'for GET, HEAD, OPTIONS and GraphQL queries only';
    const why = 'because the handler that it is around may do harm';
    expect(booted.logger.messages('warn')).toEqual([
      `Around.intercept: @Retry() is active ${around}, ${why}; idempotent: true says that it does not`,
      `Around.intercept: @Hedge() is active ${around}, ${why}`,
    ]);
  });

  it('@Fallback() on a handler that sends its response itself: its answer is not sent', async () => {
    @Controller()
    class Shop {
      @Get('sent')
      @Fallback(() => undefined)
      async sent(@Res() reply: Reply): Promise<void> {
        reply.end();
      }
    }
    const { logger } = await boot({ controllers: [Shop] });
    expect(logger.messages('warn')).toEqual([
      'Shop.sent: what @Fallback() answers is not sent, because this handler sends its response itself; use @Res({ passthrough: true })',
    ]);
  });
});

describe('@Hedge() and methods that return streams', () => {
  it('of a class is left out of them, and of those alone', async () => {
    @Injectable()
    @Hedge(50)
    class Service {
      @Timeout(50)
      stream(): Observable<number> {
        return of(1);
      }
      @Timeout(50)
      async *generate(): AsyncGenerator<number> {
        yield 1;
      }
      async promise(): Promise<void> {}
    }
    const booted = await boot({ providers: [Service] });
    expect(stagesOf(booted)).toEqual({
      'Service.stream': ['timeout'],
      'Service.generate': ['timeout'],
      'Service.promise': ['hedge'],
    });
  });

  it('on one of them fails the boot, also under the same decorator of its class', async () => {
    const message =
      'Service.stream @Hedge(): is on a method that returns a stream; allowed: one that returns a Promise';
    @Injectable()
    @Hedge(50)
    class Service {
      @Hedge(10)
      stream(): Observable<number> {
        return of(1);
      }
    }
    await expect(boot({ providers: [Service] })).rejects.toThrow(message);
  });

  it('on an async generator fails the boot as well', async () => {
    @Injectable()
    class Service {
      @Hedge(10)
      async *stream(): AsyncGenerator<number> {
        yield 1;
      }
    }
    await expect(boot({ providers: [Service] })).rejects.toThrow(/returns a stream/);
  });
});
