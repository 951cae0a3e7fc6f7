/** What a figure has to reach. */
export interface Goal {
  readonly atMost?: number;
  readonly atLeast?: number;
  /** Where a major version of Node has a goal of its own. */
  readonly onNode?: Readonly<Record<number, Goal>>;
}

/** All goals, by what they are about. They are for minima. */
export const GOALS = {
  // × call + timer, in a process that never loads the library.
  allStages: sinceFrames(1, 1.5),
  stage: sinceFrames(0.5, 0.6),
  quietChaos: { atMost: 0.1 },
  /** In a plan that has all six. */
  addedStage: { atMost: 0.1 },
  critical: sinceFrames(0.5, 0.9),
  timeout: sinceFrames(0.75, 1.3),
  stageInsideScope: sinceFrames(0.8, 1.4),
  allStagesInsideScope: sinceFrames(1.5, 2),
  /** × the bytes of call + timer, in the same process. */
  allStagesBytes: { atMost: 1.1 },
  /** × the same without predicates. */
  judgedResults: { atMost: 1.1 },
  /** × the cost of one plan that is hot. */
  manyPlans: { atMost: 1.3 },
  /** × the same with one breaker for all. */
  keyed: { atMost: 1.3 },

  // × the time of a peer.
  allStagesBesidePeers: { atMost: 0.1 },
  retryBesideCockatiel: { atMost: 1.2 },
  fallbackBesideCockatiel: { atMost: 1.2 },
  circuitBreakerBesideCockatiel: { atMost: 1.3 },
  policyBesidePeers: { atMost: 1 },

  // × a plain async call, in a process that never loads the library.
  plainBesideLibrary: { atMost: 1.05 },
  /** What they took before the stages had one contract. */
  circuitBreakerPolicy: byNode({ 20: 4, 22: 4, 24: 3.2, 26: 3.9 }),
  bulkheadPolicy: byNode({ 20: 9.3, 22: 9.3, 24: 9.9, 26: 11.7 }),

  // × an Error thrown by an async function.
  rejection: { atMost: 0.6 },
  decoratedRejection: { atMost: 1.2 },

  /** × what `new AbortController()` with its signal read adds to an async function. */
  currentSignal: { atMost: 1.1 },
  /** A failure with a million calls in the window, × one with an almost empty window. */
  failure: { atMost: 1.2 },
  /** Bytes each. */
  idleBreaker: { atMost: 400 },
  idleTimers: { atMost: 0 },
  /** Percent of one core; what rounds to zero. */
  idleCpu: { atMost: 0.5 },
  /** A call among 100,000 in the queue, × one among 100. */
  queue: { atMost: 3 },
  /** ms after its time. */
  timeoutLateness: { atMost: 20 },
  /** ms in one turn of the event loop. */
  timeoutBlocking: { atMost: 20 },
  /** ms of CPU above undecorated: 1,000 methods with five stages each. */
  boot: { atMost: 200 },

  // Requests per CPU time, in percent.
  httpUndecoratedBesideMiddleware: { atLeast: 97 },
  httpUndecoratedBesideBare: { atLeast: 93 },
  httpAllStagesBesideInterceptor: { atLeast: 97 },
} satisfies Record<string, Goal>;

/** The goal on a major version of Node. */
export function goalOn(node: number, goal: Goal): Goal {
  return goal.onNode?.[node] ?? goal;
}

export function holds({ atMost, atLeast }: Goal, value: number): boolean {
  return (
    value <= (atMost ?? Number.POSITIVE_INFINITY) && value >= (atLeast ?? Number.NEGATIVE_INFINITY)
  );
}

function byNode(atMost: Record<20 | 22 | 24 | 26, number>): Goal {
  const goals = Object.entries(atMost).map(([node, most]) => [node, { atMost: most }]);
  return { atMost: atMost[26], onNode: Object.fromEntries(goals) };
}

/** Since Node 24, which keeps async contexts in frames, they are cheap; before, they are not. */
function sinceFrames(atMost: number, before: number): Goal {
  const older = { atMost: before };
  return { atMost, onNode: { 20: older, 22: older } };
}
