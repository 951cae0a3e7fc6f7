/** A process in which a test has put fakes into Node's `timers` module, where no other one can undo it. */
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import { Alarm } from '../../lib/common/alarm.js';
import { onNextTurn } from '../../lib/common/next-turn.js';
import { Turn } from '../../lib/common/turn.js';

timers.setImmediate = (() => ({})) as unknown as typeof timers.setImmediate;
syncBuiltinESMExports();

new Turn().next(() => console.log('amid many steps'));
onNextTurn(() => console.log('at the end of a turn'));
const late = new Alarm(() => console.log('after the event loop was blocked'));
late.set(1);
const blockedUntil = performance.now() + 5;
while (performance.now() < blockedUntil);
