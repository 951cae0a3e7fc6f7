import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DOCS } from './pages.js';

/**
 * Where a page has a `schema.prisma`, the client that it tells its reader to generate.
 *
 * @param folder where the schema is
 * @returns the client's files, which are TypeScript
 * @throws where Prisma does not generate it
 */
export function generatePrismaClient(folder: string): string[] {
  const schema = join(folder, 'schema.prisma');
  if (!existsSync(schema)) return [];
  const cli = join(DOCS, 'node_modules/prisma/build/index.js');
  const { status, stdout, stderr } = spawnSync('node', [cli, 'generate', '--schema', schema], {
    cwd: folder,
    encoding: 'utf8',
    // Prisma would download an engine, which it needs for migrations only, unless it is told where one is.
    env: { ...process.env, NODE_OPTIONS: '', PRISMA_SCHEMA_ENGINE_BINARY: process.execPath },
  });
  if (status !== 0) throw new Error(`prisma generate of ${schema}:\n${stdout}${stderr}`);
  return readdirSync(join(folder, 'generated'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join('generated', file));
}
