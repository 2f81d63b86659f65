// Builds dist/module.js, the one bundle that every Grafana from 9.4 on loads:
// AMD, with the libraries that Grafana itself provides left out. "test" builds
// the unit tests instead, for node; "mount" the tests in a browser, and the
// pages of the oldest and of the newest Grafana for them.
import { build } from 'esbuild';
import { readdirSync } from 'node:fs';

const provided = ['@grafana/data', '@grafana/runtime', '@grafana/ui', 'react'];

const forNode = { bundle: true, format: 'esm', platform: 'node', target: 'node20', outExtension: { '.js': '.test.mjs' } };
const pages = { oldest: 'mount/oldest.ts', newest: 'newest/page.ts' };

if (process.argv[2] === 'test') {
  await build({ ...forNode, entryPoints: readdirSync('test').map((name) => `test/${name}`), outdir: 'dist-test' });
} else if (process.argv[2] === 'mount') {
  await build({ ...forNode, entryPoints: ['mount/editors.ts'], outdir: 'dist-mount', packages: 'external' });
  for (const [name, page] of Object.entries(pages)) {
    await build({
      entryPoints: { page },
      outdir: `dist-mount/${name}`,
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      define: { 'process.env.NODE_ENV': '"development"', global: 'globalThis' },
      external: ['fs'],
      loader: { '.ttf': 'empty' },
      logOverride: { 'package.json': 'silent' },
    });
  }
} else {
  const params = provided.map((_, i) => `m${i}`);
  const cases = provided.map((name, i) => `${JSON.stringify(name)}: m${i}`).join(', ');
  await build({
    entryPoints: ['src/module.ts'],
    outfile: 'dist/module.js',
    bundle: true,
    format: 'cjs',
    platform: 'browser',
    target: 'es2020',
    jsx: 'transform',
    minify: true,
    sourcemap: true,
    external: provided,
    banner: {
      js: `define(${JSON.stringify(provided)}, function (${params.join(', ')}) { var module = { exports: {} }, exports = module.exports, require = function (name) { return { ${cases} }[name]; };`,
    },
    footer: { js: 'return module.exports; });' },
  });
}
