// Builds dist/module.js, the one bundle that every Grafana from 9.4 on loads:
// AMD, with the libraries that Grafana itself provides left out. "test" builds
// the tests instead, for node.
import { build } from 'esbuild';
import { readdirSync } from 'node:fs';

const provided = ['@grafana/data', '@grafana/runtime', '@grafana/ui', 'react'];

if (process.argv[2] === 'test') {
  await build({
    entryPoints: readdirSync('test').map((name) => `test/${name}`),
    outdir: 'dist-test',
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    outExtension: { '.js': '.test.mjs' },
  });
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
