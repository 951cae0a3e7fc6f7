import { getMaxListeners, setMaxListeners } from 'node:events';

/** Whether this Node warns of more than ten listeners at a signal, as Node 20 does. */
const WARNS_OF_LISTENERS = warnsOfListeners();

function warnsOfListeners(): boolean {
  try {
    return getMaxListeners(new AbortController().signal) > 0;
  } catch {
    return false; // a signal that is not Node's, such as jsdom's
  }
}

/** A controller whose signal may have any number of listeners: one call may well start a dozen requests. */
export function controllerForMany(): AbortController {
  const controller = new AbortController();
  if (WARNS_OF_LISTENERS) allowListeners(controller.signal);
  return controller;
}

function allowListeners(signal: AbortSignal): void {
  try {
    setMaxListeners(0, signal);
  } catch {} // a test has put another kind in place since
}
