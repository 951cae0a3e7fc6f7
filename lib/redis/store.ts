/** A Lua script, which Redis runs as one step. */
export interface Script {
  /** For messages and tests. */
  readonly name: string;
  /**
   * Runs after a prologue that all scripts have: `now` is Redis' time in ms, `tooLate` one that no instance
   * writes, and nothing is done where `now` is later than the caller waits. Its own arguments are `ARGV[2]`
   * and on. It returns an array of integers, whose first is not negative.
   */
  readonly lua: string;
}

/** What the shared things of a fleet are kept by. */
export interface Store {
  /** Which instance asks. */
  readonly instance: string;
  /** The one that all instances of the namespace hear. Scripts publish `cjson.encode({ 1, kind, … })` there. */
  readonly channel: string;
  /** A key of what has a name. All keys of a namespace are in one slot of a cluster, and so may be used together. */
  key(kind: string, name: string, part: string): string;
  /**
   * Runs a script at once, where the connection is there.
   *
   * @returns what it answers; `undefined` where it does not in time
   */
  run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<readonly number[] | undefined>;
  /** The same for a script that answers with something else; what it is has to be checked by who asks. */
  read(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown>;
  /** Told of the messages of a kind, by whomever they come: the values behind the kind, of any type. */
  listen(kind: string, told: (values: readonly unknown[]) => void): void;
  /** Whether it may be a time of Redis that an instance has written; none is known before Redis is reached. */
  isTime(value: unknown): value is number;
  /** What came is not what an instance writes. */
  refused(what: string): void;
}
