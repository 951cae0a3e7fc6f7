/** The rate limits that instances share, each by its name. */
export interface SharedTokens {
  /** To be written. */
  listen?(): void;
}
