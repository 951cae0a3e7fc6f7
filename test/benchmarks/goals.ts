/** What a figure has to reach. */
export interface Goal {
  atMost?: number;
  atLeast?: number;
  /** Where a major version of Node has a goal of its own. */
  onNode?: Record<number, Goal>;
}

/** All goals, by what they are about. Whatever compares with peers compares with the fastest. */
export const GOALS = {
  /** × call + timer, in a process that never loads the library. */
  fullStack: { atMost: 1.2, onNode: { 24: { atMost: 1.6 } } },
  /** × the bytes of call + timer, in the same process. */
  fullStackBytes: { atMost: 1.2 },
  /** × faster than the fastest peer. */
  fullStackPeers: { atLeast: 10 },
  /** × faster than the fastest peer. */
  peers: { atLeast: 1 },
  /** Above a plain async call, × a plain async call: a policy's own `execute`. */
  policy: { atMost: 2 },
  /** The same for a pipeline with one stage, and for a method with one decorator. */
  singleStage: { atMost: 4 },
  /** × an Error thrown by an async function. */
  rejection: { atMost: 0.6 },
  decoratedRejection: { atMost: 1.2 },
  /** × what `new AbortController()` with its signal read adds to an async function. */
  currentSignal: { atMost: 1.3 },
  /** A failure with a million calls in the window, × one with an almost empty window. */
  failure: { atMost: 1.2 },
  /** Bytes each. */
  idleBreaker: { atMost: 400 },
  idleTimers: { atMost: 0 },
  /** Percent of one core; what rounds to zero. */
  idleCpu: { atMost: 0.5 },
  /** A call among 100,000 in the queue, × one among 100. */
  queue: { atMost: 3 },
  /** Percent of the throughput behind an interceptor that opens an AsyncLocalStorage. */
  httpRoute: { atLeast: 93 },
  /** ms after its time. */
  timeoutLateness: { atMost: 20 },
  /** ms in one turn of the event loop. */
  timeoutBlocking: { atMost: 20 },
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
