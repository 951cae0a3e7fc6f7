import { jsonPost } from '../http/json-post.js';
import type { Order } from '../orders/order.js';
import type { ProductPage } from '../products/products.service.js';

/** A customer does not wait longer than this. */
export const PATIENCE_MS = 2_000;

export type RequestKind = 'order' | 'product';

/** `degraded`: served, but without something that a healthy shop gives. */
export type Outcome = 'ok' | 'degraded' | 'failed';

/** What came of one request; for an order that was accepted, which. */
export interface Answer {
  readonly outcome: Outcome;
  readonly orderId?: string;
  readonly reason?: string;
}

const VISITS: Record<RequestKind, (shop: string, productId: string) => Promise<Answer>> = {
  async order(shop, productId) {
    const { id, payment } = await ask<Order>(`${shop}/orders`, 201, jsonPost({ productId }));
    return { outcome: payment === 'charged' ? 'ok' : 'degraded', orderId: id };
  },
  async product(shop, productId) {
    const { recommendations } = await ask<ProductPage>(`${shop}/products/${productId}`, 200);
    return { outcome: recommendations.length > 0 ? 'ok' : 'degraded' };
  },
};

/** Asks a shop for something, and judges what comes back. */
export async function visit(shop: string, kind: RequestKind, productId: string): Promise<Answer> {
  try {
    return await VISITS[kind](shop, productId);
  } catch (error) {
    return { outcome: 'failed', reason: String(error) };
  }
}

async function ask<T>(url: string, expected: number, init?: RequestInit): Promise<T> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
  if (response.status !== expected) {
    throw new Error(`HTTP ${response.status} ${await response.text()}`);
  }
  return (await response.json()) as T;
}
