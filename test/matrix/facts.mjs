import { existsSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './processes.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { resolve } = createRequire(import.meta.url);

/** Without types: the tests are compiled one by one. */
const TSCONFIG = {
  target: 'ES2022',
  module: 'esnext',
  moduleResolution: 'bundler',
  esModuleInterop: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  isolatedModules: true,
  verbatimModuleSyntax: true,
};

/** What runs the tests of `test/nest` on the Nest and the packed library of an application. */
const JEST = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/nest/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^\\.\\./\\.\\./lib/(.*)$': '<rootDir>/../node_modules/nestjs-bulwark/dist/esm/$1',
    '^(\\./.*)\\.js$': '$1',
  },
  transform: { '\\.ts$': [resolve('ts-jest'), { useESM: true, tsconfig: TSCONFIG }] },
};

/** Of an application that lacks the package, these are left out. */
const NEEDS = {
  'handlers.test.ts': '@nestjs/graphql',
  'http.test.ts': '@nestjs/platform-express',
  'messages.test.ts': '@nestjs/microservices',
};

/**
 * Checks what the library knows of Nest's inside on the version of it that an application has.
 *
 * @param {string} application where it is installed
 */
export async function knowsNest(application) {
  const directory = join(application, 'facts');
  const isLeftOut = (test) => !existsSync(join(application, 'node_modules', NEEDS[test] ?? ''));
  await cp(join(root, 'test/nest'), join(directory, 'nest'), {
    recursive: true,
    filter: (source) => !isLeftOut(basename(source)),
  });
  const config = JSON.stringify({ ...JEST, rootDir: directory });
  const jest = ['--experimental-vm-modules', resolve('jest/bin/jest')];
  await run(process.execPath, [...jest, '--config', config, '--ci', '--runInBand'], directory);
}
