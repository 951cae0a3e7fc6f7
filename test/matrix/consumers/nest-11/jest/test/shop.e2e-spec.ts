import { Controller, type INestApplication } from '@nestjs/common';
import { MessagePattern, RpcException } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { CircuitBreaker, CircuitBreakerOpenError, CircuitBreakerRegistry } from 'nestjs-bulwark';
import request from 'supertest';
import { AppModule } from '../src/app.module.js';
import { StockService, SupplierService } from '../src/services.js';

@Controller()
class OrdersListener {
  @MessagePattern('order')
  @CircuitBreaker('supplier')
  async order() {
    return 'ordered';
  }
}

describe('the shop', () => {
  let app: INestApplication;

  beforeEach(async () => {
    const module = await Test.createTestingModule({
      imports: [AppModule],
      controllers: [OrdersListener],
    }).compile();
    app = module.createNestApplication({ logger: ['warn'] });
    await app.init();
  });

  afterEach(() => app.close());

  it.each([
    'singleton',
    'transient',
    'factory',
    'lazy',
    'lazy-factory',
    'handler',
    'observable',
    'request',
    'request-factory',
  ])('repeats a failed call: %s', async (kind) => {
    const { body } = await request(app.getHttpServer()).get(`/attempts/${kind}`).expect(200);
    expect(body).toMatchObject({ attempts: 3 });
  });

  it('does not ask a supplier that does not answer', async () => {
    await request(app.getHttpServer()).get('/supplier').expect(502);
    const { body } = await request(app.getHttpServer())
      .get('/supplier')
      .expect(503)
      .expect('Retry-After', '60');
    expect(body).toMatchObject({ statusCode: 503, code: 'CIRCUIT_OPEN' });
    await request(app.getHttpServer())
      .get('/health')
      .expect(200, /"supplier":"OPEN"/);
  });

  it('throws errors of the classes that it exports', async () => {
    app.get(CircuitBreakerRegistry).get('supplier').forceOpen();
    await expect(app.get(SupplierService).order()).rejects.toBeInstanceOf(CircuitBreakerOpenError);
  });

  it('answers on other transports with their own errors, where they are installed', async () => {
    app.get(CircuitBreakerRegistry).get('supplier').forceOpen();
    await expect(app.get(OrdersListener).order()).rejects.toBeInstanceOf(RpcException);
  });
});

it('leaves a class alone that is made without Nest', async () => {
  await expect(new StockService().count()).rejects.toThrow('Attempt 1 failed');
});
