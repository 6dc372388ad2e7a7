// Who is calling: reads the Authorization header, and says which account and
// mode a key opens and what it may do.
//
// Every well-formed sk_test_ or sk_live_ key works without being registered.
// The admin registers the others: restricted (rk_), revoked and expired keys,
// and keys of another account.

import { forbidden, unauthorized } from './errors.mjs';
import { DEFAULT_ACCOUNT } from './world.mjs';

const SHAPE = /^(sk|rk|pk)_(test|live)_[A-Za-z0-9_]{3,250}$/;

const HELP = "You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.";

// Enough of a key to recognise it by, never the key.
function masked(key) {
  return key.length > 12 ? `${key.slice(0, 8)}${'*'.repeat(Math.min(key.length - 12, 20))}${key.slice(-4)}` : '*'.repeat(key.length);
}

export class Keys {
  constructor() {
    this.clear();
  }

  clear() {
    this.registered = new Map();
  }

  // { key, permissions: "all" | "read" | "none" | {resource: "read"|"write"|"none"}, status, account }
  register({ key, permissions = 'all', status = 'active', account = DEFAULT_ACCOUNT, livemode }) {
    if (!SHAPE.test(key ?? '')) throw new Error('a key looks like sk_test_…, sk_live_…, rk_test_… or rk_live_…');
    if (!['active', 'revoked', 'expired'].includes(status)) throw new Error('status is active, revoked or expired');
    if (livemode !== undefined && livemode !== key.includes('_live_')) throw new Error('livemode contradicts the key\'s prefix');
    const entry = { key, permissions, status, account };
    this.registered.set(key, entry);
    return entry;
  }

  authenticate(header) {
    const key = readKey(header);
    if (!key) throw unauthorized(`You did not provide an API key. ${HELP}`);
    const shape = SHAPE.exec(key);
    if (!shape) throw unauthorized(`Invalid API Key provided: ${masked(key)}`);
    if (shape[1] === 'pk') {
      throw unauthorized('This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of your API keys at https://dashboard.stripe.com/account/apikeys.', 'secret_key_required');
    }
    const entry = this.registered.get(key);
    if (!entry && shape[1] === 'rk') throw unauthorized(`Invalid API Key provided: ${masked(key)}`);
    if (entry?.status === 'revoked') throw unauthorized(`Invalid API Key provided: ${masked(key)}`);
    if (entry?.status === 'expired') throw unauthorized(`Expired API Key provided: ${masked(key)}`, 'api_key_expired');
    return {
      key,
      account: entry?.account ?? DEFAULT_ACCOUNT,
      livemode: shape[2] === 'live',
      permissions: entry?.permissions ?? 'all',
    };
  }
}

function readKey(header) {
  if (!header) return null;
  const match = /^(Bearer|Basic)\s+(.*)$/i.exec(header);
  if (!match) return null;
  if (match[1].toLowerCase() === 'bearer') return match[2].trim() || null;
  const user = Buffer.from(match[2], 'base64').toString('latin1').split(':')[0];
  return user || null;
}

// resource is the first word of a route's path; reading needs less than writing.
export function authorize(who, resource, method) {
  const need = method === 'GET' ? 'read' : 'write';
  const have = typeof who.permissions === 'string' ? who.permissions : who.permissions?.[resource] ?? 'none';
  if (have === 'all' || have === 'write' || have === need) return;
  throw forbidden(
    `The provided key '${masked(who.key)}' does not have the required permissions for this endpoint on account '${who.account}'. ` +
    `Having the 'rak_${resource}_${need}' permission would allow this request to continue.`);
}
