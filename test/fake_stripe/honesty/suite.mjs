/*
 * The checks, in the order they need each other: first that each checker
 * refuses what it has to, then the official SDK drives the fake, then
 * everything that went over the wire is checked.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Stripe from 'stripe';
import { checkAnswers, report as reportAnswers } from './answers.mjs';
import { checkRequests, report as reportRequests } from './check-requests.mjs';
import { Fake } from './client.mjs';
import { changeLog, computed, excuses, listed, lost, typeName } from './differences.mjs';
import { decodeForm } from './form.mjs';
import { checkRecords2024, oldVersion, report as report2024 } from './openapi2024.mjs';
import { checkRoutes, untried } from './routes.mjs';
import { scenarios } from './scenarios.mjs';
import { scenarios2024 } from './scenarios_2024.mjs';
import { errorScenarios } from './scenarios_errors.mjs';
import { problemsOf } from './request_schemas.mjs';
import { endpoints, findEndpoints, newestVersion } from './sdk.mjs';

const form = 'application/x-www-form-urlencoded';
const headersOf = (version) => ({ 'content-type': form, 'stripe-version': version });

/* The problems of one request at the newest version. */
function wrong(method, path, parameters) {
  const where = method === 'POST' ? { body: parameters } : { query: parameters };
  return problemsOf({ method, path, contentType: form, ...where });
}

describe('the table of endpoints', () => {
  test('is read from the package, with the types it documents', () => {
    assert.equal(newestVersion, '2026-10-28.endive');
    assert.ok(endpoints().length > 500, `${endpoints().length} endpoints`);
    const types = {
      'POST /v1/payment_intents': ['Stripe.PaymentIntentCreateParams', 'Stripe.PaymentIntent'],
      'POST /v1/payment_intents/pi_1/confirm': ['Stripe.PaymentIntentConfirmParams', 'Stripe.PaymentIntent'],
      'GET /v1/payment_intents': ['Stripe.PaymentIntentListParams', 'Stripe.ApiList<Stripe.PaymentIntent>'],
      'GET /v1/customers/search': ['Stripe.CustomerSearchParams', 'Stripe.ApiSearchResult<Stripe.Customer>'],
      'GET /v1/customers/cus_1': ['Stripe.CustomerRetrieveParams', 'Stripe.Customer | Stripe.DeletedCustomer'],
      'DELETE /v1/subscriptions/sub_1': ['Stripe.SubscriptionCancelParams', 'Stripe.Subscription'],
      'POST /v1/checkout/sessions': ['Stripe.Checkout.SessionCreateParams', 'Stripe.Checkout.Session'],
      'POST /v1/billing_portal/sessions': ['Stripe.BillingPortal.SessionCreateParams', 'Stripe.BillingPortal.Session'],
    };
    for (const [request, [params, answer]] of Object.entries(types)) {
      const found = findEndpoints(...request.split(' '));
      assert.deepEqual(found.map((endpoint) => [endpoint.params, endpoint.answer]), [[params, answer]], request);
    }
  });

  test('has the endpoints of payments and of billing', () => {
    const resources = ['customers', 'payment_methods', 'setup_intents', 'payment_intents', 'charges', 'refunds', 'disputes',
      'balance_transactions', 'events', 'subscriptions', 'subscription_items', 'subscription_schedules', 'products', 'prices',
      'invoices', 'invoiceitems', 'invoice_payments', 'credit_notes', 'coupons', 'promotion_codes', 'tax_rates',
      'checkout/sessions', 'webhook_endpoints', 'test_helpers/test_clocks', 'entitlements/features'];
    const missing = resources.filter((resource) => findEndpoints('GET', `/v1/${resource}`).length === 0);
    assert.deepEqual(missing, []);
    assert.deepEqual(findEndpoints('GET', '/v1/nothing'), []);
    assert.deepEqual(findEndpoints('DELETE', '/v1/payment_intents/pi_1'), []);
    assert.deepEqual(findEndpoints('GET', '/v1/customers/'), []);
  });
});

describe('the decoder', () => {
  test('reads what the SDK writes', () => {
    const pairs = [
      ['metadata[order_id]=6735', { metadata: { order_id: '6735' } }],
      ['metadata[0]=a', { metadata: { 0: 'a' } }],
      ['items[0][price]=p&items[0][quantity]=2&items[1][price]=q', { items: [{ price: 'p', quantity: '2' }, { price: 'q' }] }],
      ['expand[]=a&expand[]=b', { expand: ['a', 'b'] }],
      ['s=line1%0Aline2%09tab%0D&name=%E6%97%A5+x', { s: 'line1\nline2\ttab\r', name: '日 x' }],
      ['a%5Bb%5D=1', { a: { b: '1' } }],
      ['k=', { k: '' }],
      ['', {}],
    ];
    for (const [text, value] of pairs) assert.deepEqual(JSON.parse(JSON.stringify(decodeForm(text))), value, text);
  });

  test('refuses what it would have to guess at', () => {
    for (const text of ['a=1&a=2', 'a=1&a[b]=2', 'a[b]=1&a=2', 'a[1]=x', 'a[0]=x&a[2]=y', 'a[b[c]]=1', 'a]=1', 'a', 'a=%zz',
      'a=%ff', 'a=é', 'a=b c', 'a[][b]=1', '&']) {
      assert.throws(() => decodeForm(text), Error, text);
    }
  });
});

describe('the request check', () => {
  test('accepts right parameters', () => {
    const right = [
      ['POST', '/v1/payment_intents', 'amount=100&currency=usd&automatic_payment_methods[enabled]=true&metadata[0]=a&metadata[k]='],
      ['POST', '/v1/payment_intents', 'amount=100&currency=usd&off_session=true&confirm=true&payment_method=pm_1'],
      ['POST', '/v1/payment_intents', 'amount=100&currency=usd&off_session=one_off'],
      ['POST', '/v1/customers/cus_1', 'metadata=&shipping=&description='],
      ['GET', '/v1/payment_intents', 'limit=3&created[gte]=17&starting_after=pi_1&expand[0]=data.customer'],
      ['GET', '/v1/payment_intents', 'created=17'],
      ['GET', '/v1/charges/search', 'query=amount%3E5'],
      ['POST', '/v1/coupons', 'percent_off=12.5&duration=once'],
      ['POST', '/v1/prices', 'unit_amount_decimal=12.55&currency=usd&product=prod_1'],
      ['POST', '/v1/subscriptions', 'customer=cus_1&items[0][price]=price_1&items[0][quantity]=2&discounts=&trial_end=now'],
      ['DELETE', '/v1/subscriptions/sub_1', 'invoice_now=true'],
      ['POST', '/v1/test_helpers/customers/cus_1/fund_cash_balance', 'amount=100&currency=usd'],
    ];
    for (const [method, path, parameters] of right) {
      assert.deepEqual(wrong(method, path, parameters), [], `${method} ${path} ${parameters}`);
    }
  });

  const refusals = {
    'payment_method_types, gone since endive':
      ['POST', '/v1/payment_intents', 'amount=1&currency=usd&payment_method_types[0]=card', 'unknown parameter payment_method_types'],
    'an unknown parameter': ['POST', '/v1/customers', 'nmae=Ada', 'unknown parameter nmae'],
    'an unknown parameter in a hash':
      ['POST', '/v1/payment_intents', 'amount=1&currency=usd&payment_method_options[card][foo]=1',
        'unknown parameter payment_method_options.card.foo'],
    'an unknown parameter in a list':
      ['POST', '/v1/subscriptions', 'items[0][price]=p&items[0][colour]=red', 'unknown parameter items.0.colour'],
    'a missing parameter': ['POST', '/v1/payment_intents', 'currency=usd', 'missing parameter amount'],
    'no parameters where some are needed': ['POST', '/v1/payment_intents', '', 'missing parameter currency'],
    'a missing parameter of a search': ['GET', '/v1/customers/search', 'limit=1', 'missing parameter query'],
    'a word for an integer': ['POST', '/v1/payment_intents', 'amount=ten&currency=usd', 'amount: must be number'],
    'an integer with decimals': ['POST', '/v1/payment_intents', 'amount=10.00&currency=usd', 'amount: is not spelt as an integer'],
    'an integer with an exponent': ['POST', '/v1/payment_intents', 'amount=1e3&currency=usd', 'amount: is not spelt as an integer'],
    'an integer with a leading zero': ['POST', '/v1/payment_intents', 'amount=010&currency=usd', 'amount: is not spelt as an integer'],
    'an empty integer': ['POST', '/v1/payment_intents', 'amount=&currency=usd', 'amount: must be number'],
    'a limit with decimals': ['GET', '/v1/customers', 'limit=2.5', 'limit: is not spelt as an integer'],
    'a decimal of letters': ['POST', '/v1/prices', 'currency=usd&unit_amount_decimal=x', 'unit_amount_decimal: is not spelt as a number'],
    'a boolean of another kind':
      ['POST', '/v1/payment_intents', 'amount=1&currency=usd&confirm=1', 'confirm: must be boolean'],
    'a misspelt word':
      ['POST', '/v1/refunds', 'charge=ch_1&reason=fraud', 'reason: must be one of duplicate, fraudulent, requested_by_customer'],
    'one value for a list': ['POST', '/v1/customers', 'expand=sources', 'expand: must be array'],
    'a list for one value': ['POST', '/v1/customers', 'name[0]=Ada', 'name: must be string'],
    'a hash for one value': ['POST', '/v1/customers', 'name[a]=Ada', 'name: must be string'],
    'a value for a hash':
      ['POST', '/v1/payment_intents', 'amount=1&currency=usd&automatic_payment_methods=true', 'automatic_payment_methods: must be object'],
    'an unknown path': ['POST', '/v1/payment_intents/pi_1/pay', '', 'no such endpoint in the official package: POST /v1/payment_intents/pi_1/pay'],
    'a parameter given twice': ['POST', '/v1/customers', 'name=a&name=b', 'given twice: name'],
  };
  for (const [name, [method, path, parameters, line]] of Object.entries(refusals)) {
    test(`refuses ${name}`, () => {
      const lines = wrong(method, path, parameters);
      assert.ok(lines.includes(line), `${line} is not among: ${lines.join('; ')}`);
    });
  }

  test('refuses a body of another type, and a GET with one', () => {
    const request = { method: 'POST', path: '/v1/customers', body: '{"name":"a"}' };
    assert.deepEqual(problemsOf({ ...request, contentType: 'application/json' }), ['content type application/json']);
    assert.deepEqual(problemsOf(request), ['content type missing']);
    assert.deepEqual(problemsOf({ ...request, method: 'GET' }), ['a GET with a body']);
  });

  test('leaves out only what was refused with 400, or another version', () => {
    const bad = { method: 'POST', path: '/v1/customers', body: 'nmae=Ada', headers: headersOf(newestVersion) };
    const nowhere = { method: 'GET', path: '/v1/nothing', headers: headersOf(newestVersion) };
    const records = [
      ...[200, 402, 404, 409, 429, 500, null].map((status) => ({ ...bad, status })),
      { ...bad, status: 200, headers: { 'content-type': form } },
      { ...nowhere, status: 200 },
      { ...bad, status: 400 },
      { ...nowhere, status: 404 },
      { ...bad, status: 200, headers: headersOf(oldVersion) },
    ];
    const { problems, checked, refused, others } = checkRequests(records);
    assert.deepEqual([problems.length, checked, refused, others], [9, 9, 2, 1]);
    assert.equal(checkRequests(records, { all: true }).problems.length, 11);
  });
});

/* A right answer of 2024 and, with three members more, of today. */
const refund = {
  id: 're_1', object: 'refund', amount: 5, balance_transaction: null, charge: 'ch_1', created: 1, currency: 'usd', metadata: {},
  payment_intent: null, reason: null, receipt_number: null, source_transfer_reversal: null, status: 'succeeded', transfer_reversal: null,
};
const newRefund = { ...refund, customer: null, customer_account: null, payment_method: null };
const listOf = (url, ...data) => ({ object: 'list', url, has_more: false, data });
const event = (type, object) => ({
  id: 'evt_1', object: 'event', api_version: newestVersion, created: 1, data: { object }, livemode: false,
  pending_webhooks: 0, request: { id: null, idempotency_key: null }, type,
});

test('the answer check refuses missing, excess and mistyped members, and only them', () => {
  const answer = (path, json, status = 200) => ({ method: 'GET', path, json, status });
  const { amount, ...without } = newRefund;
  assert.equal(amount, 5);
  const right = [
    answer('/v1/refunds/re_1', newRefund),
    answer('/v1/refunds', listOf('/v1/refunds', newRefund, { ...newRefund, reason: 'duplicate' })),
    answer('/v1/events/evt_1', event('refund.created', newRefund)),
    answer('/v1/events/evt_1', {
      ...event('refund.updated', newRefund), data: { object: newRefund, previous_attributes: { metadata: { a: null } } },
    }),
    answer('/v1/refunds/re_2', { error: { type: 'invalid_request_error', code: 'resource_missing', message: 'no' } }, 404),
  ];
  const bad = [
    [answer('/v1/refunds/re_1', without), /amount/],
    [answer('/v1/refunds/re_1', { ...newRefund, colour: 'red' }), /colour/],
    [answer('/v1/refunds/re_1', { ...newRefund, amount: '6' }), /amount/],
    [answer('/v1/refunds/re_1', { ...newRefund, reason: 'fraud' }), /reason/],
    [answer('/v1/refunds', listOf('/v1/refunds', newRefund, { ...newRefund, colour: 'red' })), /data\[1\]\.colour/],
    [answer('/v1/refunds', { ...listOf('/v1/refunds'), total: 1 }), /total/],
    [answer('/v1/events/evt_1', event('refund.created', { ...newRefund, colour: 'red' })), /data\.object\.colour/],
    [answer('/v1/events/evt_1', event('refund.invented', newRefund)), /type/],
    [answer('/v1/refunds/re_2', { error: { type: 'invalid_request_error', because: 'no' } }, 404), /error\.because/],
    [answer('/v1/nothing', {}), /no such endpoint/],
  ];
  const { problems } = checkAnswers([...right, ...bad.map(([one]) => one)]);
  for (const [one, pattern] of bad) {
    const problem = problems.find((each) => each.answer === one);
    assert.ok(problem, `not refused: ${pattern}`);
    assert.match(problem.lines.join('\n'), pattern);
  }
  assert.equal(problems.length, bad.length, reportAnswers({ problems }));
});

test('the check of 2024 refuses wrong requests and answers, and only them', () => {
  const record = (method, path, body, json, status = 200) => ({ method, path, body, json, status, headers: headersOf(oldVersion) });
  const right = [
    record('GET', '/v1/refunds/re_1', '', refund),
    record('GET', '/v1/refunds?limit=2&created[gte]=3', '', listOf('/v1/refunds', refund)),
    record('POST', '/v1/payment_intents', 'amount=5&currency=usd&payment_method_types[]=card&off_session=one_off'),
    record('POST', '/v1/refunds', 'charge=ch_1&amount=1&metadata[a]=b', refund),
    record('GET', '/v1/customers/cus_1', '', { id: 'cus_1', object: 'customer', deleted: true }),
    record('GET', '/v1/customers/cus_2', '', { error: { type: 'invalid_request_error', message: 'no' } }, 404),
  ];
  const bad = [
    [record('GET', '/v1/refunds/re_1', '', newRefund), /answer: unknown member customer/],
    [record('GET', '/v1/refunds/re_1', '', { ...refund, amount: '5' }), /answer: amount: must be integer/],
    [record('GET', '/v1/refunds/re_1', '', { ...refund, currency: undefined }), /answer: missing member currency/],
    [record('GET', '/v1/refunds', '', listOf('/v1/refunds', newRefund)), /answer: unknown member data\.0\.customer/],
    [record('GET', '/v1/refunds/re_2', '', { error: { type: 'invalid_request_error', because: 'no' } }, 404), /unknown member error\.because/],
    [record('GET', '/v1/refunds?colour=red', ''), /unknown parameter colour/],
    [record('POST', '/v1/refunds', 'amount=1.0'), /amount: is not spelt as an integer/],
    [record('POST', '/v1/refunds', 'reason=fraud'), /reason: must be one of/],
    [record('POST', '/v1/payment_intents', ''), /missing parameter amount/],
    [record('POST', '/v1/payment_intents', 'amount=1&currency=usd&allowed_payment_method_types[]=card'), /unknown parameter allowed/],
    [record('GET', '/v1/nothing', ''), /no such operation/],
  ];
  const { problems } = checkRecords2024([...right, ...bad.map(([one]) => one)]);
  assert.equal(problems.length, bad.length, report2024({ problems }));
  bad.forEach(([, pattern], index) => assert.match(problems[index].lines.join('\n'), pattern));
});

describe('differences.md', () => {
  test('excuses a member, of the object it names', () => {
    const records = [{ method: 'GET', path: '/v1/refunds/re_1', json: newRefund, status: 200, headers: headersOf(oldVersion) }];
    const excused = ['customer', 'customer_account', 'payment_method'].map((member) => ({ schema: 'refund', member }));
    assert.deepEqual(checkRecords2024(records, excused).problems, []);
    assert.equal(checkRecords2024(records, excused.slice(1)).problems.length, 1);
    assert.throws(() => checkRecords2024(records, [{ schema: 'refund', member: 'amount' }]), /which the document has/);
    assert.throws(() => checkRecords2024(records, [{ schema: 'nothing', member: 'customer' }]), /unknown object/);
  });

  test('lists exactly what the document and the package differ in', () => {
    const line = ({ object, member, change }) => `${object}.${member} ${change}`;
    assert.deepEqual(listed().map(line).sort(), computed().map(line).sort());
  });

  test('names sources that say so', () => {
    for (const { object, member, change, source } of listed()) {
      const type = `\`${typeName(object)}\``;
      const says = (text) => text.split('\n').some((line) => line.includes(`\`${member}\``) && line.includes(type)
        && (change === 'added' ? /support for/.test(line) : /[Rr]emove support for/.test(line)));
      const version = /^stripe (\S+),/.exec(source)?.[1];
      if (version) assert.ok(says(changeLog(version)), `stripe ${version} does not say ${change} ${object}.${member}`);
      else assert.equal(source, 'types only', `${object}.${member}`);
    }
    for (const { schema, member, source } of excuses()) assert.match(source, /\S/, `${schema}.${member}`);
  });
});

describe('the fake’s table of endpoints', () => {
  test('takes nothing that the official package does not know', () => {
    const lines = checkRoutes();
    assert.equal(lines.length, 0, `\n${lines.join('\n')}`);
  });
});

describe('the fake, driven by the official SDK', () => {
  let fake;
  before(async () => { fake = await Fake.start(); });
  after(() => fake?.stop());

  const at = (version) => fake.exchanges.filter(({ headers }) => headers['Stripe-Version'] === version);

  for (const [name, run] of Object.entries(scenarios)) {
    test(`at ${newestVersion}: ${name}`, () => run(fake.client(), fake));
  }
  for (const [name, run] of Object.entries(scenarios2024)) {
    test(`at ${oldVersion}: ${name}`, () => run(fake.client({ apiVersion: oldVersion })));
  }
  for (const [name, run] of Object.entries(errorScenarios)) {
    test(`errors and faults: ${name}`, () => run(fake));
  }

  test('it recorded the bytes the SDK sent', async () => {
    const line = ({ method, path, body }) => `${method} ${path} ${body}`;
    assert.deepEqual((await fake.call('GET', '/requests')).map(line), fake.exchanges.map(line));
  });

  test('every request at the newest version is right', async () => {
    const result = checkRequests(await fake.call('GET', '/requests'));
    assert.ok(result.checked > 200, `${result.checked} requests`);
    assert.equal(result.problems.length, 0, `\n${reportRequests(result)}`);
  });

  test('every answer at the newest version is of its official type', () => {
    const result = checkAnswers(at(newestVersion).filter(({ json }) => json));
    assert.ok(result.checked > 150, `${result.checked} answers`);
    assert.equal(result.problems.length, 0, `\n${reportAnswers(result)}`);
  });

  test(`every request and answer at ${oldVersion} fits the document`, () => {
    const result = checkRecords2024(at(oldVersion));
    assert.ok(result.requests > 40 && result.answers > 40, `${result.requests} requests, ${result.answers} answers`);
    assert.equal(result.problems.length, 0, `\n${report2024(result)}`);
  });

  test(`no member of an answer is lost on the way back to ${oldVersion}`, () => {
    assert.deepEqual(lost(at(newestVersion), at(oldVersion)), []);
    const [newest, before] = [[{ json: listOf('/v1/refunds', newRefund) }], [{ json: refund }]];
    assert.deepEqual(lost(newest, before), []);
    assert.deepEqual(lost(newest, [{ json: { charge: { ...refund, reason: undefined } } }]), ['refund.reason']);
  });

  test('no endpoint of the fake is left untried', () => {
    assert.deepEqual(untried(at(newestVersion)), []);
  });

  test('the SDK that drove it is the one the types come from', () => {
    assert.equal(Stripe.API_VERSION, newestVersion);
  });
});
