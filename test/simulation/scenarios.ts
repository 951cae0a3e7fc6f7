import type { Scenario } from './scenario.js';

const SECOND = 1_000;

/** Five processes before a leaf that answers in 100 ms and can do 200 requests a second. */
const SERVICE = {
  tiers: [
    {
      processes: 5,
      timeoutMs: 1_000,
      budgetMs: undefined,
      maxConcurrent: 8, // twice its share of the leaf
      queueLimit: 20, // which takes half a second
      windowMs: 1_000,
      minRetriesPerSecond: 1,
    },
  ],
  leaf: { servers: 20, meanMs: 100, shape: 4 },
  criticalShare: 1,
} as const;

export const SCENARIOS: readonly Scenario[] = [
  {
    ...SERVICE,
    id: 'hang',
    title: 'The leaf hangs for 12 s, at 70 % load',
    fault: 'hang',
    load: { calm: 0.7, storm: 0.7 },
    storm: { fromMs: 10 * SECOND, untilMs: 22 * SECOND },
    untilMs: 70 * SECOND,
  },
  {
    ...SERVICE,
    id: 'brown-out',
    title: 'A brown-out: half of the answers are 503 for 20 s, at 70 % load',
    fault: 'brown-out',
    load: { calm: 0.7, storm: 0.7 },
    storm: { fromMs: 10 * SECOND, untilMs: 30 * SECOND },
    untilMs: 60 * SECOND,
  },
  {
    id: 'chain',
    title: 'Three tiers with 300 ms at the edge, at twice the capacity for 10 s',
    tiers: [
      {
        processes: 4,
        timeoutMs: 300,
        budgetMs: 300,
        maxConcurrent: 50,
        queueLimit: 100,
        windowMs: 1_000,
        minRetriesPerSecond: 1,
      },
      {
        processes: 4,
        timeoutMs: 300,
        budgetMs: undefined,
        maxConcurrent: 2, // together as many as the leaf has servers
        queueLimit: 20, // more than can be in time: it does not know the deadlines of its callers
        windowMs: 1_000,
        minRetriesPerSecond: 1,
      },
    ],
    leaf: { servers: 8, meanMs: 40, shape: 4 },
    criticalShare: 1,
    fault: 'none',
    load: { calm: 0.5, storm: 2 },
    storm: { fromMs: 5 * SECOND, untilMs: 15 * SECOND },
    untilMs: 25 * SECOND,
  },
  {
    id: 'replicas',
    title: '500 replicas recover at once, after 10 s in which the leaf could not be reached',
    tiers: [
      {
        processes: 500,
        timeoutMs: 1_000,
        budgetMs: undefined,
        maxConcurrent: 10,
        queueLimit: 20, // more than can be in time: it does not know the deadlines of its callers
        windowMs: 8_000,
        minRetriesPerSecond: 0,
      },
    ],
    leaf: { servers: 50, meanMs: 50, shape: 4 },
    criticalShare: 1,
    fault: 'unreachable',
    load: { calm: 0.7, storm: 0.7 },
    storm: { fromMs: 10 * SECOND, untilMs: 20 * SECOND },
    untilMs: 35 * SECOND,
  },
  {
    ...SERVICE,
    id: 'overload',
    title: 'Twice the capacity for 20 s; 30 % of the calls are critical',
    criticalShare: 0.3,
    fault: 'none',
    load: { calm: 0.7, storm: 2 },
    storm: { fromMs: 10 * SECOND, untilMs: 30 * SECOND },
    untilMs: 50 * SECOND,
  },
  {
    ...SERVICE,
    id: 'quota',
    title:
      'A partner allows 100 calls a second, and whoever makes more none for a second; twice as many are wanted for 20 s',
    tiers: [{ ...SERVICE.tiers[0], callsPerSecond: 20 }], // together the quota
    leaf: { servers: 50, meanMs: 100, shape: 4 },
    quota: { perSecond: 100, penaltyMs: 1_000 },
    fault: 'none',
    load: { calm: 0.7, storm: 2 },
    storm: { fromMs: 10 * SECOND, untilMs: 30 * SECOND },
    untilMs: 50 * SECOND,
  },
  {
    ...SERVICE,
    id: 'tenants',
    title:
      'Of 100 tenants one is sick for 20 s, at 70 % load: nothing that is sent for it is answered',
    tenants: { count: 100, sickShare: 0.3 },
    fault: 'sick tenant',
    load: { calm: 0.7, storm: 0.7 },
    storm: { fromMs: 10 * SECOND, untilMs: 30 * SECOND },
    untilMs: 50 * SECOND,
  },
];
