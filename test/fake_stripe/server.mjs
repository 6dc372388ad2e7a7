// The fake Stripe: reads its options, makes its certificates, opens its
// listeners, says where they are in one line of JSON, and serves until it is
// told to stop. See README.md.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startAdmin } from './admin.mjs';
import { Api } from './api.mjs';
import { makeCertificates } from './certs.mjs';
import { Faults } from './faults.mjs';
import { Keys } from './keys.mjs';
import { Recorder } from './recorder.mjs';
import { Transport } from './transport.mjs';
import { World } from './world.mjs';

const USAGE = `usage: fake-stripe [--port N] [--http-port N] [--admin-port N] [--dir DIR] [--quiet]
                   [--exit-on-stdin-close]

  --port N         port of the TLS listener (0, the default, is any free one)
  --http-port N    port of the plain HTTP listener
  --admin-port N   port of the admin listener
  --dir DIR        where the certificates go (default: a directory that is
                   removed at exit)
  --quiet          do not tell the reader on standard error how to use it
  --exit-on-stdin-close
                   stop when standard input closes
`;

function port(text, name) {
  if (text === undefined) return 0;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) throw new Error(`--${name} takes a port number, not ${text}`);
  return Number(text);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' }, 'http-port': { type: 'string' }, 'admin-port': { type: 'string' },
      dir: { type: 'string' }, quiet: { type: 'boolean' }, 'exit-on-stdin-close': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  return {
    port: port(values.port, 'port'), httpPort: port(values['http-port'], 'http-port'),
    adminPort: port(values['admin-port'], 'admin-port'), dir: values.dir, quiet: values.quiet,
    exitOnStdinClose: values['exit-on-stdin-close'],
  };
}

async function main() {
  const options = readOptions();
  const dir = options.dir ? resolve(options.dir) : mkdtempSync(join(tmpdir(), 'fake-stripe-'));
  if (!options.dir) process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(0));
  if (options.exitOnStdinClose) {
    process.stdin.on('end', () => process.exit(0));
    process.stdin.on('error', () => process.exit(0));
    process.stdin.resume();
  }

  const { ca, pairs } = makeCertificates(dir);
  const world = new World();
  const keys = new Keys();
  const faults = new Faults();
  const recorder = new Recorder();
  const api = new Api(world, keys);
  const transport = new Transport({ api, faults, recorder, world });
  const ready = {
    https: `https://localhost:${await transport.listen(options.port, pairs.https)}`,
    http: `http://127.0.0.1:${await transport.listen(options.httpPort, null)}`,
    admin: `http://127.0.0.1:${await startAdmin(options.adminPort, { world, keys, faults, recorder, transport, api })}`,
    ca,
  };
  for (const name of ['wrong_host', 'expired', 'unknown_ca']) {
    ready[name] = `https://localhost:${await transport.listen(0, pairs[name])}`;
  }
  ready.pid = process.pid;
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  if (!options.quiet) {
    process.stderr.write(`fake Stripe: try  curl --cacert ${ca} -u sk_test_anything: ${ready.https}/v1/customers -d name=Ada\n`);
  }
}

main().catch((error) => {
  process.stderr.write(`fake-stripe: ${error.message}\n`);
  process.exit(1);
});
