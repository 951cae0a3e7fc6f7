import { jsonPost } from '../http/json-post.js';
import type { Order } from '../orders/order.js';
import type { ProductPage } from '../products/products.service.js';

/** A customer does not wait longer than this, unless the shop says otherwise. */
const PATIENCE_MS = 2_000;

export type RequestKind = 'order' | 'product';

/** `degraded`: served, but without something that a healthy shop gives. */
export type Outcome = 'ok' | 'degraded' | 'failed';

/** What came of one request; for an order that was accepted, which. */
export interface Answer {
  readonly outcome: Outcome;
  readonly orderId?: string;
  readonly reason?: string;
}

/** The reason of who was not served in time. */
export const LEFT = 'left before there was an answer';

type Visit = (shop: string, productId: string, patienceMs: number) => Promise<Answer>;

const VISITS: Record<RequestKind, Visit> = {
  async order(shop, productId, patienceMs) {
    const init = jsonPost({ productId });
    const { id, payment } = await ask<Order>(`${shop}/orders`, 201, patienceMs, init);
    return { outcome: payment === 'charged' ? 'ok' : 'degraded', orderId: id };
  },
  async product(shop, productId, patienceMs) {
    const url = `${shop}/products/${productId}`;
    const { recommendations } = await ask<ProductPage>(url, 200, patienceMs);
    return { outcome: recommendations.length > 0 ? 'ok' : 'degraded' };
  },
};

/** Asks a shop for something, and judges what comes back. */
export async function visit(
  shop: string,
  kind: RequestKind,
  productId: string,
  patienceMs = PATIENCE_MS,
): Promise<Answer> {
  try {
    return await VISITS[kind](shop, productId, patienceMs);
  } catch (error) {
    return { outcome: 'failed', reason: reasonOf(error as Error) };
  }
}

function reasonOf(error: Error): string {
  if (error.name === 'TimeoutError') return LEFT;
  return error.cause === undefined ? String(error) : `${error} (${error.cause})`;
}

async function ask<T>(
  url: string,
  expected: number,
  patienceMs: number,
  init?: RequestInit,
): Promise<T> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(patienceMs) });
  if (response.status !== expected) {
    throw new Error(`HTTP ${response.status} ${await response.text()}`);
  }
  return (await response.json()) as T;
}
