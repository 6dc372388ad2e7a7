#!/usr/bin/env node
/*
 * Checks recorded requests against the official package's parameter types.
 *
 *   node check-requests.mjs [--all] FILE...
 *
 * FILE holds what the fake's admin call GET /requests answered.  Only requests at the package's own API version (or
 * without a version) are checked here; others are counted.  Exits with 1 if
 * any request has an unknown, missing or mistyped parameter or goes to no
 * endpoint of the package.  --all also checks requests answered 400.
 */
import { fileURLToPath } from 'node:url';
import { problemsOf } from './request_schemas.mjs';
import { describe, isRefused, normalize, readRecords } from './recordings.mjs';
import { findEndpoints, newestVersion, sdkVersion } from './sdk.mjs';

/* { problems: [{ request, lines }], checked, refused, others } */
export function checkRequests(records, { all = false } = {}) {
  const result = { problems: [], checked: 0, refused: 0, others: 0 };
  for (const request of records.map(normalize)) {
    if (request.version !== undefined && request.version !== newestVersion) {
      result.others++;
      continue;
    }
    if (!all && isRefused(request, findEndpoints(request.method, request.path).length > 0)) {
      result.refused++;
      continue;
    }
    result.checked++;
    const lines = problemsOf(request);
    if (lines.length) result.problems.push({ request, lines });
  }
  return result;
}

/* What was found, one line for each problem. */
export function report({ problems }) {
  return problems.map(({ request, lines }) =>
    [describe(request), ...lines.map((line) => `    ${line}`)].join('\n')).join('\n');
}

function main(args) {
  const files = args.filter((argument) => argument !== '--all');
  if (files.length === 0 || files.some((file) => file.startsWith('-'))) {
    console.error('usage: check-requests.mjs [--all] FILE...');
    return 2;
  }
  const records = readRecords(files);
  const result = checkRequests(records, { all: args.includes('--all') });
  if (result.problems.length) console.log(report(result));
  console.log(`${result.checked} requests checked against stripe ${sdkVersion} (${newestVersion}), `
    + `${result.problems.length} wrong; left out: ${result.refused} refused with 400, ${result.others} at another version`);
  /* A recording without requests proves nothing. */
  if (records.length === 0) {
    console.error('nothing to check');
    return 1;
  }
  return result.problems.length ? 1 : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));
