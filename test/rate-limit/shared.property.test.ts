import { describeSharedRateLimits } from '../support/limits-scene.js';

describeSharedRateLimits('A rate limit that instances share', 30, 120_000);
