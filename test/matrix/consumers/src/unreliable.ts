export interface Answer {
  attempts: number;
}

/** A dependency that fails twice before it answers. */
export class Unreliable {
  private attempts = 0;

  async ask(): Promise<Answer> {
    this.attempts += 1;
    if (this.attempts < 3) throw new Error(`Attempt ${this.attempts} failed`);
    return { attempts: this.attempts };
  }
}
