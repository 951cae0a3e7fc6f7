import { Inject, Injectable } from '@nestjs/common';
import { CircuitBreaker, Critical, Timeout, Upstream } from 'nestjs-bulwark';
import { callUpstream } from '../http/call-upstream.js';
import { jsonPost } from '../http/json-post.js';
import { UPSTREAM_URLS, type UpstreamUrls } from '../upstreams/upstreams.js';

/** Nice to have, and nobody reads an answer: options inline, failures end in silence. */
@Injectable()
export class AnalyticsClient {
  constructor(@Inject(UPSTREAM_URLS) private readonly upstreams: UpstreamUrls) {}

  @Critical(false)
  @Upstream('analytics')
  @CircuitBreaker({ failureThreshold: 5, timeoutMs: 2_000 })
  @Timeout(250)
  async record(event: string, subject: string): Promise<void> {
    await callUpstream(`${this.upstreams.analytics}/events`, jsonPost({ event, subject }));
  }
}
