import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Param, Req, Res, Scope } from '@nestjs/common';
import { filter, firstValueFrom, type Observable } from 'rxjs';
import request from 'supertest';
import {
  Coalesce,
  ResilienceConfigurationError,
  ResilienceEvents,
  ResilienceModule,
  ResilienceService,
  Signal,
} from '../../lib/index.js';
import { bootBare, closeAll } from '../binding/support.js';
import { booting, Deferred, failure, flush } from '../support/resilience-app.js';

describe('Boot refuses to coalesce', () => {
  const boot = booting();
  const messageOf = async (booted: Promise<unknown>) => {
    const error = await failure(booted);
    expect(error).toBeInstanceOf(ResilienceConfigurationError);
    return (error as Error).message;
  };

  it('calls without arguments, without a key', async () => {
    @Injectable()
    class Client {
      @Coalesce()
      async list(): Promise<void> {}
    }
    expect(await messageOf(boot({}, [Client]))).toBe(
      'Client.list @Coalesce(): is of calls without arguments that would tell one from another; name what makes two calls equal, and include whose they are: key: (…) => string',
    );
  });

  it('calls whose only argument is the signal', async () => {
    @Injectable()
    class Client {
      @Coalesce()
      async list(@Signal() _signal?: AbortSignal): Promise<void> {}
    }
    expect(await messageOf(boot({}, [Client]))).toContain('Client.list @Coalesce(): is of calls');
  });

  it('a request-scoped provider, be it by what it is injected with, without a key', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class User {}
    @Injectable()
    class Client {
      constructor(readonly user: User) {}
      @Coalesce()
      async find(_id: string): Promise<void> {}
    }
    expect(await messageOf(boot({}, [User, Client]))).toContain(
      'Client.find @Coalesce(): is of a request-scoped provider, each object of which is for one request; name',
    );
  });

  it('bundles and pipelines without a key', async () => {
    expect(await messageOf(boot({ services: { partner: { coalesce: {} as never } } }))).toContain(
      'services.partner.coalesce: is of calls without arguments',
    );
    const app = await boot();
    expect(() => app.pipeline({ coalesce: {} as never })).toThrow(
      'pipeline "pipeline".coalesce: is of calls without arguments',
    );
  });

  it('what may return a Promise or an Observable', async () => {
    type Either = Promise<string> | Observable<string>;
    @Injectable()
    class Client {
      @Coalesce()
      find(_id: string): Either {
        return Promise.resolve('found');
      }
    }
    expect(await messageOf(boot({}, [Client]))).toContain(
      'Client.find @Coalesce(): is on a method of which it is not known whether it returns',
    );
  });

  it('handlers that send their response themselves', async () => {
    @Controller()
    class Routes {
      @Get()
      @Coalesce()
      async find(@Res() _response: unknown): Promise<void> {}
    }
    expect(
      await messageOf(bootBare({ imports: [ResilienceModule.forRoot()], controllers: [Routes] })),
    ).toContain('Routes.find @Coalesce(): is on a handler that sends its response itself');
  });

  it.each<[string, unknown, string]>([
    ['an async key', async () => 'k', 'allowed: a function that returns its answer at once'],
    ['a key that is no function', 'id', 'Client.find @Coalesce().key: is "id"'],
  ])('%s', async (_name, key, message) => {
    @Injectable()
    class Client {
      @Coalesce({ key: key as () => string })
      async find(_id: string): Promise<void> {}
    }
    expect(await messageOf(boot({}, [Client]))).toContain(message);
  });

  it('by an option that there is not', async () => {
    @Injectable()
    class Client {
      @Coalesce({ keys: () => 'k' } as never)
      async find(_id: string): Promise<void> {}
    }
    expect(await messageOf(boot({}, [Client]))).toContain(
      'Client.find @Coalesce().keys: there is no such option; known: key',
    );
  });
});

describe('Coalesced are', () => {
  const boot = booting();
  afterEach(closeAll);

  it('request-scoped providers by their key, whose objects share one execution', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Client {
      static made = 0;
      @Coalesce({ key: (id: string) => id })
      async find(id: string): Promise<string> {
        Client.made++;
        await flush();
        return id;
      }
    }
    const app = await boot({}, [Client]);
    const clients = [await app.module.resolve(Client), await app.module.resolve(Client)];
    expect(await Promise.all(clients.map((client) => client.find('a')))).toEqual(['a', 'a']);
    expect(Client.made).toBe(1);
  });

  it('bundles, by what their calls say that their arguments are', async () => {
    const app = await boot({ services: { users: { coalesce: { key: (id: string) => id } } } });
    const service = app.module.get(ResilienceService);
    let made = 0;
    const get = (id: string) =>
      service.execute(
        'users',
        async () => {
          made++;
          await flush();
          return id;
        },
        { args: [id] },
      );
    expect(await Promise.all([get('a'), get('a'), get('b')])).toEqual(['a', 'a', 'b']);
    expect(made).toBe(2);
  });

  it('all methods that a class decorator reaches, each for itself', async () => {
    @Coalesce()
    @Injectable()
    class Client {
      made: string[] = [];
      async one(id: string): Promise<string> {
        this.made.push(`one ${id}`);
        await flush();
        return id;
      }
      async other(id: string): Promise<string> {
        this.made.push(`other ${id}`);
        await flush();
        return id;
      }
    }
    const app = await boot({}, [Client]);
    const client = app.module.get(Client);
    await Promise.all([client.one('a'), client.one('a'), client.other('a'), client.other('a')]);
    expect(client.made).toEqual(['one a', 'other a']);
  });

  it('handlers by what tells their requests apart, and not those that get the whole request', async () => {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const made: string[] = [];
    const madeBoth = new Deferred();
    @Controller()
    class Routes {
      @Get('shared/:id')
      @Coalesce()
      async shared(@Param('id') id: string): Promise<string> {
        made.push(id);
        if (made.length === 2) madeBoth.resolve(undefined);
        await released;
        return id;
      }

      @Get('own')
      @Coalesce()
      async own(@Req() _request: object): Promise<string> {
        made.push('own');
        return 'own';
      }
    }
    const { app } = await bootBare({
      imports: [ResilienceModule.forRoot({ bootLog: 'none' })],
      controllers: [Routes],
    });
    const joined = firstValueFrom(
      app.get(ResilienceEvents).events$.pipe(filter(({ type }) => type === 'coalesced')),
    );
    await app.listen(0);
    const client = request(app.getHttpServer());
    const answers = ['a', 'a', 'b'].map((id) =>
      client.get(`/shared/${id}`).then(({ text }) => text),
    );
    await Promise.all([joined, madeBoth.promise]);
    release();
    expect(await Promise.all(answers)).toEqual(['a', 'a', 'b']);
    expect(made.sort()).toEqual(['a', 'b']);
    await Promise.all([client.get('/own'), client.get('/own')]);
    expect(made.filter((each) => each === 'own')).toHaveLength(2);
  });
});
