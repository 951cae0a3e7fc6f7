/**
 * The process that something is measured in. It calls the functions that the module in its first
 * argument exports, as its parent asks it to; it imports nothing else, so that nothing disturbs.
 */
const functions = await import(process.argv[2] as string);

process.on('message', ({ name, args }: { name: string; args: unknown[] }) => {
  void answer(() => functions[name](...args)).then((message) => process.send?.(message));
});
process.on('disconnect', () => process.exit()); // whatever timers a peer has left
process.send?.({});

async function answer(work: () => unknown): Promise<{ value?: unknown; error?: string }> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: error instanceof Error ? String(error.stack) : String(error) };
  }
}
