import { describeSharedBulkheads } from '../support/slots-scene.js';

describeSharedBulkheads('A bulkhead that instances share, through many histories', 500, 300_000);
