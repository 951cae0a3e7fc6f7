/**
 * Checks the package as users will get it, and stops before publishing: `npm run release`.
 *
 * What the code does is proved by `.ci/run`; this looks at what is published, and from where. With `--dry` it checks
 * the package alone, as `.ci/run` does: neither the state of the repository nor that of the changelog.
 */

import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import Table from 'cli-table3';
import { build } from 'esbuild';

/** In bytes. Whoever has a reason raises them in the same change. */
const AT_MOST = {
  tarball: 2_000_000,
  unpacked: 12_000_000,
  /** Of the core as a bundler leaves it, minified and compressed, without its peers. */
  core: 150_000,
  /** Of each sub-path, likewise, without the core. */
  subPath: 45_000,
};

const root = new URL('..', import.meta.url).pathname;
const dry = process.argv.includes('--dry');
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const problems = [];
const check = (holds, problem) => holds || problems.push(problem);
const run = (command, ...args) =>
  execFileSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
const attempt = (command, ...args) => {
  try {
    return execFileSync(command, args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return undefined;
  }
};

if (!dry) {
  checkRepository();
  await checkVersion();
}
checkProvenance();
process.stdout.write(run('npm', 'run', '-s', 'build'));
process.stdout.write(run('npm', 'run', '-s', 'check:pack'));
const folder = await mkdtemp(join(tmpdir(), 'nestjs-bulwark-release-'));
try {
  await checkPackage(folder);
} finally {
  await rm(folder, { recursive: true });
}

if (problems.length > 0) {
  console.error(`\nNot ready:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
  process.exitCode = 1;
} else {
  console.log(`\nReady. After .ci/run has passed on this commit, publish from a workflow that may write id-tokens:
  git tag v${manifest.version} && git push origin v${manifest.version}
  npm publish --provenance --access public`);
}

/** What is published has to be what others can read. */
function checkRepository() {
  check(attempt('git', 'status', '--porcelain') === '', 'the work tree has changes: commit them');
  check(
    attempt('git', 'tag', '-l', `v${manifest.version}`) === '',
    `v${manifest.version} is tagged already: raise the version in package.json`,
  );
  const origin = attempt('git', 'remote', 'get-url', 'origin') ?? 'none';
  const path = new URL(manifest.repository.url.replace('git+', '')).pathname.replace('.git', '');
  check(
    origin.includes(path.slice(1)),
    `"repository" is ${manifest.repository.url}, but origin is ${origin}: provenance needs both to be the same`,
  );
}

async function checkVersion() {
  const { version } = manifest;
  const changelog = await readFile(join(root, 'CHANGELOG.md'), 'utf8');
  const [, unreleased = ''] = /## \[Unreleased\]\n([\s\S]*?)(?=\n## \[|$)/.exec(changelog) ?? [];
  check(
    unreleased.trim() === '',
    `CHANGELOG.md has lines under "Unreleased": move them to ${version}`,
  );
  check(
    new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - \\d{4}-\\d{2}-\\d{2}$`, 'm').test(
      changelog,
    ),
    `CHANGELOG.md has no section "## [${version}] - <date>"`,
  );
  const source = await readFile(join(root, 'lib/common/version.ts'), 'utf8');
  check(source.includes(`'${version}'`), `lib/common/version.ts does not say ${version}`);
}

function checkProvenance() {
  const { publishConfig, repository, bugs, homepage, author } = manifest;
  check(
    publishConfig?.provenance === true,
    'package.json lacks "publishConfig": { "provenance": true }',
  );
  check(
    publishConfig?.access === 'public',
    'package.json lacks "publishConfig": { "access": "public" }',
  );
  for (const [name, value] of Object.entries({ repository, bugs, homepage, author }))
    check(value !== undefined, `package.json lacks "${name}"`);
  const scripts = ['preinstall', 'install', 'postinstall'].filter((name) => manifest.scripts[name]);
  check(scripts.length === 0, `the package runs ${scripts} where it is installed: it must not`);
  check(manifest.dependencies === undefined, 'the package has dependencies: the core has none');
}

/** The tarball, installed beside its peers: what is in it, how large it is, and that each entry is found. */
async function checkPackage(directory) {
  const [tarball] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory], {
      cwd: root,
      encoding: 'utf8',
    }),
  );
  const strangers = tarball.files
    .map(({ path }) => path)
    .filter(
      (path) =>
        !/^(dist\/|lib\/prometheus\/|(README|CHANGELOG)\.md$|LICENSE$|package\.json$)/.test(path),
    );
  check(strangers.length === 0, `the tarball has files that nobody needs: ${strangers}`);

  await writeFile(join(directory, 'package.json'), '{ "private": true, "type": "module" }');
  execFileSync(
    'npm',
    ['install', '--no-audit', '--no-fund', '--legacy-peer-deps', tarball.filename],
    { cwd: directory },
  );
  const rows = [
    ['tarball', tarball.size, AT_MOST.tarball],
    ['unpacked', tarball.unpackedSize, AT_MOST.unpacked],
  ];
  for (const entry of Object.keys(manifest.exports)) {
    if (entry.endsWith('.json')) continue;
    const name = join(manifest.name, entry);
    const most = entry === '.' ? AT_MOST.core : AT_MOST.subPath;
    rows.push([name, await bundled(directory, name), most]);
  }
  const table = new Table({
    head: ['', 'bytes', 'at most'],
    style: { head: [] },
    colAligns: ['left', 'right', 'right'],
  });
  for (const [name, bytes, most] of rows) {
    table.push([name, bytes.toLocaleString('en'), most.toLocaleString('en')]);
    check(bytes <= most, `${name} has ${bytes} bytes, at most ${most} are allowed`);
  }
  console.log(`${table}`);
}

/** Minified and compressed, without peers; of a sub-path without the core, which it shares with the application. */
async function bundled(directory, name) {
  const core =
    name === manifest.name
      ? []
      : [join(directory, 'node_modules', manifest.name, 'dist/esm/index.js')];
  const { outputFiles } = await build({
    stdin: { contents: `export * from '${name}'`, resolveDir: directory },
    bundle: true,
    minify: true,
    write: false,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    external: Object.keys(manifest.peerDependencies).flatMap((peer) => [peer, `${peer}/*`]),
    plugins: [
      {
        name: 'without-core',
        setup: ({ onResolve }) =>
          onResolve({ filter: /index\.js$/ }, ({ path, resolveDir }) =>
            core.includes(join(resolveDir, path))
              ? { path: manifest.name, external: true }
              : undefined,
          ),
      },
    ],
  });
  return gzipSync(outputFiles[0].contents).length;
}
