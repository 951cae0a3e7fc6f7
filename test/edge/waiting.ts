export const never = () => new Promise<never>(() => undefined);

/** A promise, and what resolves it. */
export function latch<T = void>() {
  let open!: (value: T) => void;
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

/** What `promise` gives; fails rather than hangs. */
export function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come`)), 20_000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Until `isSo`. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  let over = false;
  const turns = async () => {
    while (!over && !isSo()) await new Promise((resolve) => setImmediate(resolve));
  };
  await soon(turns(), what).finally(() => {
    over = true;
  });
}

/** Resolves when everybody of so many has come. */
export function gathering(count: number) {
  const { open, opened } = latch();
  let there = 0;
  return () => {
    if (++there === count) open();
    return opened;
  };
}
