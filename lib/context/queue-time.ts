/** How long a call has waited in queues of ours: where several calls inside it wait at once, that time counts once. */
export class QueueTime {
  private waiting = 0;
  private beganAt = 0;
  private endedMs = 0;

  begin(at: number): void {
    if (this.waiting++ === 0) this.beganAt = at;
  }

  end(at: number): void {
    if (--this.waiting === 0) this.endedMs += at - this.beganAt;
  }

  get isWaiting(): boolean {
    return this.waiting > 0;
  }

  totalMs(at: number): number {
    return this.isWaiting ? this.endedMs + at - this.beganAt : this.endedMs;
  }
}
