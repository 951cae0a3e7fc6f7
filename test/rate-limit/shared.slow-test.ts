import { describeSharedRateLimits } from '../support/limits-scene.js';

describeSharedRateLimits('A rate limit that instances share, through many histories', 500, 300_000);
