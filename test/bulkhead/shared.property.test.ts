import { describeSharedBulkheads } from '../support/slots-scene.js';

describeSharedBulkheads('A bulkhead that instances share', 30, 120_000);
