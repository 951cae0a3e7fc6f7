import { Inject, Injectable } from '@nestjs/common';
import { Resilience } from 'nestjs-bulwark';
import { callUpstream } from '../http/call-upstream.js';
import { UPSTREAM_URLS, type UpstreamUrls } from '../upstreams/upstreams.js';

/** Nice to have. The whole policy is the bundle `recommendations` in resilience.options.ts. */
@Injectable()
export class RecommendationsClient {
  constructor(@Inject(UPSTREAM_URLS) private readonly upstreams: UpstreamUrls) {}

  @Resilience('recommendations')
  async similarTo(productId: string): Promise<string[]> {
    return callUpstream(`${this.upstreams.recommendations}/similar/${productId}`);
  }
}
