import { clearScreenDown, moveCursor } from 'node:readline';
import { styleText } from 'node:util';

const { stdout } = process;
const COLOURED = stdout.isTTY && !process.env.NO_COLOR;
const PLAIN_INTERVAL_MS = 2_000;
const BAR_WIDTH = 40;

export function paint(style: Parameters<typeof styleText>[0], text: string): string {
  return COLOURED ? styleText(style, text) : text;
}

/** How much is done, from 0 to 1; only where it can be redrawn. */
export function bar(share: number): string {
  if (!stdout.isTTY) return '';
  const done = Math.round(Math.min(share, 1) * BAR_WIDTH);
  return paint('cyan', '█'.repeat(done)) + paint('dim', '░'.repeat(BAR_WIDTH - done));
}

/**
 * A block of lines that is redrawn in place, below lines that stay. Where nothing can be redrawn
 * (a file, a CI log) the block becomes a plain line every other second.
 */
export class LiveBlock {
  private shown: string[] = [];
  private printedAt = Number.NEGATIVE_INFINITY;

  show(lines: string[]): void {
    if (stdout.isTTY) {
      this.erase();
      stdout.write(`${lines.join('\n')}\n`);
      this.shown = lines;
    } else if (performance.now() - this.printedAt >= PLAIN_INTERVAL_MS) {
      this.printedAt = performance.now();
      stdout.write(`${lines.map((line) => line.trim()).join('   ')}\n`);
    }
  }

  /** Prints a line that stays. */
  note(line: string): void {
    const block = this.shown;
    this.erase();
    stdout.write(`${line}\n`);
    if (block.length > 0) this.show(block);
  }

  /** Takes the block away. */
  erase(): void {
    if (this.shown.length === 0) return;
    moveCursor(stdout, 0, -this.shown.length);
    clearScreenDown(stdout);
    this.shown = [];
  }
}
