import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';

const HEAD = [
  'fault',
  'calls',
  'failed or\nwaited by Redis',
  'unhandled',
  'p99 in ms,\nquiet / fault',
  'up again\nafter',
  'false\nopenings',
  'above the limit:\nrate, slots',
];

/** Prints what the faults did, when all tests are over. */
export default class FaultTable {
  folder = mkdtempSync(join(tmpdir(), 'bulwark-fleet-'));
  rows = join(this.folder, 'rows');

  onRunStart() {
    writeFileSync(this.rows, '');
    process.env.BULWARK_FLEET_ROWS = this.rows; // the workers have it from here
  }

  onRunComplete() {
    const rows = readFileSync(this.rows, 'utf8').split('\n').filter(Boolean).map(JSON.parse);
    rmSync(this.folder, { recursive: true });
    if (rows.length === 0) return;
    const table = new Table({
      head: HEAD,
      colAligns: HEAD.map((_, at) => (at === 0 ? 'left' : 'right')),
      style: { head: [], border: [], compact: true },
    });
    for (const row of rows)
      table.push(row.length === 1 ? [{ content: row[0], colSpan: HEAD.length }] : row);
    process.stdout.write(`\n${table}\n`);
  }
}
