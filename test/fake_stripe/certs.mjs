// Makes the certificates of one run with the openssl command: an authority of
// our own with a good certificate for loopback, and three that a client must
// refuse (another host's name, expired, signed by an authority it was not given).

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

function openssl(args, cwd) {
  execFileSync('openssl', args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

function authority(dir, name) {
  openssl(['req', '-x509', ...KEY, '-days', '30', '-subj', `/CN=fake Stripe ${name}`,
    '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign',
    '-keyout', `${name}.key`, '-out', `${name}.pem`], dir);
}

// `openssl ca` is the one sub-command that takes any pair of dates.
const CA_CONFIG = `[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
`;

function stamp(offsetDays) {
  return new Date(Date.now() + offsetDays * 86400000).toISOString().replace(/[-:T]/g, '').slice(0, 14) + 'Z';
}

function issue(dir, name, ca, names, from, to) {
  openssl(['req', '-new', ...KEY, '-subj', `/CN=${names[0].replace(/^\w+:/, '')}`,
    '-addext', `subjectAltName=${names.join(',')}`, '-addext', 'extendedKeyUsage=serverAuth',
    '-keyout', `${name}.key`, '-out', `${name}.csr`], dir);
  openssl(['ca', '-batch', '-notext', '-config', 'ca.cnf', '-cert', `${ca}.pem`, '-keyfile', `${ca}.key`,
    '-in', `${name}.csr`, '-out', `${name}.pem`, '-startdate', stamp(from), '-enddate', stamp(to)], dir);
}

// Returns { ca: path, pairs: { https, wrong_host, expired, unknown_ca } }.
export function makeCertificates(dir) {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'ca.cnf'), CA_CONFIG);
  writeFileSync(join(dir, 'index.txt'), '');
  writeFileSync(join(dir, 'serial'), '1000\n');
  const loopback = ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1'];
  authority(dir, 'ca');
  authority(dir, 'unknown');
  issue(dir, 'https', 'ca', loopback, -1, 30);
  issue(dir, 'wrong_host', 'ca', ['DNS:api.example.org'], -1, 30);
  issue(dir, 'expired', 'ca', loopback, -30, -2);
  issue(dir, 'unknown_ca', 'unknown', loopback, -1, 30);
  const pairs = {};
  for (const name of ['https', 'wrong_host', 'expired', 'unknown_ca']) {
    pairs[name] = { key: readFileSync(join(dir, `${name}.key`)), cert: readFileSync(join(dir, `${name}.pem`)) };
  }
  return { ca: join(dir, 'ca.pem'), pairs };
}
