/** What instances show of themselves, while somebody watches. */
export interface SharedSnapshots {
  /** To be written. */
  listen?(): void;
}
