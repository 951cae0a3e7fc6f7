import { Pods, pause } from './pods.js';

const PODS = 5;
const CALLS_PER_SECOND = 50;
const BREAKER = { failureThreshold: 5, successThreshold: 2, timeoutMs: 1_000 };
const SICK_MS = 6_000;
const LONG_OPEN_MS = 30_000;

/** The dependency fails for one pod of five only. @returns the share of the others' calls that were rejected, 0 to 1 */
export async function oneSickPod(redis: number | undefined, quorum?: number): Promise<number> {
  const breaker = quorum === undefined ? BREAKER : { ...BREAKER, shared: { quorum } };
  const pods = await Pods.start(PODS, { redis, breaker });
  try {
    await pods.call(CALLS_PER_SECOND);
    await pause(1_000);
    await pods.takeReports();
    await pods.dependency.call('fail', 0);
    await pause(SICK_MS);
    const [, ...healthy] = await pods.takeReports();
    const rejected = healthy.reduce((sum, report) => sum + report.rejected, 0);
    const answered = healthy.reduce((sum, report) => sum + report.answered, 0);
    return rejected / (rejected + answered);
  } finally {
    await pods.stop();
  }
}

/** A pod starts during the outage. @returns how many of its calls reached the dead dependency */
export async function newPodInOutage(redis: number | undefined): Promise<number> {
  const pods = await Pods.start(PODS, { redis, breaker: { ...BREAKER, timeoutMs: LONG_OPEN_MS } });
  try {
    await pods.dependency.call('fail', 'all');
    await pods.call(CALLS_PER_SECOND);
    await pause(2_000);
    const number = await pods.add();
    await pods.callFrom(number, CALLS_PER_SECOND);
    await pause(2_000);
    const calls = await pods.dependency.call('takeCalls');
    return calls.filter(({ pod }) => pod === number).length;
  } finally {
    await pods.stop();
  }
}
