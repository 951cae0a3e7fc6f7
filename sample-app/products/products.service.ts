import { Injectable, NotFoundException } from '@nestjs/common';
import { AnalyticsClient } from '../analytics/analytics.client.js';
import { RecommendationsClient } from '../recommendations/recommendations.client.js';
import { PRODUCTS, type Product } from './catalogue.js';

export interface ProductPage extends Product {
  readonly recommendations: string[];
}

@Injectable()
export class ProductsService {
  constructor(
    private readonly recommendations: RecommendationsClient,
    private readonly analytics: AnalyticsClient,
  ) {}

  find(id: string): Product {
    const product = PRODUCTS.find((candidate) => candidate.id === id);
    if (!product) throw new NotFoundException(`No product ${id}`);
    return product;
  }

  async page(id: string): Promise<ProductPage> {
    const product = this.find(id);
    const [recommendations] = await Promise.all([
      this.recommendations.similarTo(id),
      this.analytics.record('product-viewed', id),
    ]);
    return { ...product, recommendations };
  }
}
