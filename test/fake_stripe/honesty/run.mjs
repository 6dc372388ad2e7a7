#!/usr/bin/env node
/*
 * Runs the checks of this folder and prints TAP; the exit code says whether
 * all of them passed.  See README.md.
 */
import { run } from 'node:test';
import { tap } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const suite = fileURLToPath(new URL('suite.mjs', import.meta.url));

run({ files: [suite], timeout: 300_000 })
  .on('test:fail', () => { process.exitCode = 1; })
  .compose(tap)
  .pipe(process.stdout);
