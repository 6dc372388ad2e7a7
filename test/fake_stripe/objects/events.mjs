// Events: read-only; world.mjs records them as objects change.

import { badParam } from '../errors.mjs';
import { list } from '../lists.mjs';
import { LIST } from '../params.mjs';
import { register } from '../view.mjs';
import { must } from './lookup.mjs';

register('event', {});

const MONTH = 30 * 86400;

function listEvents(ctx, params) {
  if (params.type !== undefined && params.types !== undefined) {
    throw badParam('You may only specify one of these parameters: type, types.', 'types', 'parameters_exclusive');
  }
  if (params.types?.length > 20) throw badParam('types can hold at most 20 event names.', 'types');
  const wildcard = params.type?.includes('*')
    ? new RegExp(`^${params.type.split('*').map((p) => p.replace(/[.\\]/g, '\\$&')).join('.*')}$`) : null;
  const wanted = (type) => (wildcard ? wildcard.test(type) : params.type === undefined || type === params.type) &&
    (params.types === undefined || params.types.includes(type));
  // Nothing is delivered from here, so no delivery has failed.
  return list(ctx, 'event', params, {
    url: '/v1/events', where: (e) => wanted(e.type) && e.created > ctx.now - MONTH && params.delivery_success !== false,
  });
}

export const routes = [
  { method: 'GET', path: '/v1/events', params: `${LIST} created:range type types[] delivery_success:bool`, returns: 'list:event', run: listEvents },
  { method: 'GET', path: '/v1/events/:id', params: 'expand[]', returns: 'event', run: (ctx, params, id) => must(ctx, 'event', id) },
];
