--
-- The table of doc/memberships.md, cell by cell: what Stripe says, and what
-- it means for access at a moment.
--
-- Year of the cases: the period is 2026-01-01 to 2027-01-01.
--
\set ON_ERROR_STOP 1
\set QUIET 1
\pset format unaligned
\pset tuples_only true
\pset pager off
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS memberpulse_stripe;

CREATE TEMP TABLE cells (
	n serial, name text, status text, trial_end date, cancel_at date, period_end_cancels boolean, ended_at date,
	invoice text, renews boolean, failed_at date, grace integer, override_until date, at timestamptz,
	state text, access_until timestamptz, grace_until timestamptz);
INSERT INTO cells (name, status, trial_end, cancel_at, period_end_cancels, ended_at, invoice, renews, failed_at, grace, override_until, at, state, access_until, grace_until) VALUES
-- no subscription
('no subscription', NULL, NULL, NULL, false, NULL, NULL, false, NULL, 7, NULL, '2026-06-01', 'none', NULL, NULL),
('no subscription, override', NULL, NULL, NULL, false, NULL, NULL, false, NULL, 7, '2026-07-01', '2026-06-01', 'active', '2026-07-01', NULL),
('no subscription, override over', NULL, NULL, NULL, false, NULL, NULL, false, NULL, 7, '2026-05-20', '2026-06-01', 'none', '2026-05-20', NULL),
-- incomplete
('incomplete', 'incomplete', NULL, NULL, false, NULL, 'open', false, NULL, 7, NULL, '2026-01-01', 'pending', NULL, NULL),
('incomplete, first payment failed', 'incomplete', NULL, NULL, false, NULL, 'open', false, '2026-01-01', 7, NULL, '2026-01-02', 'pending', NULL, NULL),
('incomplete, override', 'incomplete', NULL, NULL, false, NULL, 'open', false, NULL, 7, '2026-07-01', '2026-06-01', 'active', '2026-07-01', NULL),
('incomplete_expired', 'incomplete_expired', NULL, NULL, false, NULL, 'void', false, NULL, 7, NULL, '2026-01-03', 'ended', NULL, NULL),
-- trialing
('trialing', 'trialing', '2026-01-15', NULL, false, NULL, 'paid', false, NULL, 7, NULL, '2026-01-10', 'trialing', '2026-01-18', NULL),
('trialing, news of its end is late', 'trialing', '2026-01-15', NULL, false, NULL, 'paid', false, NULL, 7, NULL, '2026-01-17 23:59:59', 'trialing', '2026-01-18', NULL),
('trialing, no news for longer than the slack', 'trialing', '2026-01-15', NULL, false, NULL, 'paid', false, NULL, 7, NULL, '2026-01-18', 'lapsed', '2026-01-18', NULL),
('trialing, to be canceled at its end', 'trialing', '2026-01-15', '2026-01-15', false, NULL, 'paid', false, NULL, 7, NULL, '2026-01-10', 'canceling', '2026-01-15', NULL),
('trialing, to be canceled, over', 'trialing', '2026-01-15', '2026-01-15', false, NULL, 'paid', false, NULL, 7, NULL, '2026-01-15', 'ended', '2026-01-15', NULL),
('trialing, no end of trial known', 'trialing', NULL, NULL, false, NULL, NULL, false, NULL, 7, NULL, '2026-01-10', 'trialing', '2027-01-04', NULL),
-- active
('active', 'active', NULL, NULL, false, NULL, 'paid', true, NULL, 7, NULL, '2026-06-01', 'active', '2027-01-04', NULL),
('active, first second', 'active', NULL, NULL, false, NULL, 'paid', false, NULL, 7, NULL, '2026-01-01', 'active', '2027-01-04', NULL),
('active, before it begins', 'active', NULL, NULL, false, NULL, 'paid', false, NULL, 7, NULL, '2025-12-31 23:59:59', 'pending', '2027-01-04', NULL),
('active, news of the renewal is late', 'active', NULL, NULL, false, NULL, 'paid', true, NULL, 7, NULL, '2027-01-03 23:59:59', 'active', '2027-01-04', NULL),
('active, no news for longer than the slack', 'active', NULL, NULL, false, NULL, 'paid', true, NULL, 7, NULL, '2027-01-04', 'lapsed', '2027-01-04', NULL),
('active, renewal invoice is a draft', 'active', NULL, NULL, false, NULL, 'draft', true, NULL, 7, NULL, '2026-01-01', 'active', '2027-01-04', NULL),
('active, renewal invoice is open', 'active', NULL, NULL, false, NULL, 'open', true, NULL, 7, NULL, '2026-01-01', 'active', '2027-01-04', NULL),
('active, renewal failed', 'active', NULL, NULL, false, NULL, 'open', true, '2026-01-01', 7, NULL, '2026-01-02', 'grace', '2026-01-08', '2026-01-08'),
('active, renewal failed, grace over', 'active', NULL, NULL, false, NULL, 'open', true, '2026-01-01', 7, NULL, '2026-01-08', 'lapsed', '2026-01-08', '2026-01-08'),
('active, another invoice failed', 'active', NULL, NULL, false, NULL, 'open', false, '2026-05-01', 7, NULL, '2026-06-01', 'active', '2027-01-04', NULL),
('active, renewal failed and was paid', 'active', NULL, NULL, false, NULL, 'paid', true, '2026-01-01', 7, NULL, '2026-06-01', 'active', '2027-01-04', NULL),
('active, renewal written off', 'active', NULL, NULL, false, NULL, 'uncollectible', true, '2026-01-01', 7, NULL, '2026-06-01', 'active', '2027-01-04', NULL),
('active, canceled at period end', 'active', NULL, NULL, true, NULL, 'paid', true, NULL, 7, NULL, '2026-06-01', 'canceling', '2027-01-01', NULL),
('active, canceled at period end, last second', 'active', NULL, NULL, true, NULL, 'paid', true, NULL, 7, NULL, '2026-12-31 23:59:59', 'canceling', '2027-01-01', NULL),
('active, canceled at period end, over', 'active', NULL, NULL, true, NULL, 'paid', true, NULL, 7, NULL, '2027-01-01', 'ended', '2027-01-01', NULL),
('active, cancel_at before the period ends', 'active', NULL, '2026-08-01', false, NULL, 'paid', true, NULL, 7, NULL, '2026-06-01', 'canceling', '2026-08-01', NULL),
('active, cancel_at, over', 'active', NULL, '2026-08-01', false, NULL, 'paid', true, NULL, 7, NULL, '2026-08-01', 'ended', '2026-08-01', NULL),
('active, cancel_at goes before the flag', 'active', NULL, '2026-08-01', true, NULL, 'paid', true, NULL, 7, NULL, '2026-06-01', 'canceling', '2026-08-01', NULL),
('active, cancel_at in a later period', 'active', NULL, '2028-01-01', false, NULL, 'paid', true, NULL, 7, NULL, '2026-06-01', 'canceling', '2027-01-04', NULL),
('active, cancel_at in a later period, not renewed', 'active', NULL, '2028-01-01', false, NULL, 'paid', true, NULL, 7, NULL, '2027-02-01', 'lapsed', '2027-01-04', NULL),
('active, override for longer', 'active', NULL, NULL, false, NULL, 'paid', true, NULL, 7, '2028-01-01', '2026-06-01', 'active', '2028-01-01', NULL),
('active, override for less', 'active', NULL, NULL, false, NULL, 'paid', true, NULL, 7, '2026-07-01', '2026-06-01', 'active', '2027-01-04', NULL),
('canceling, override beyond the end', 'active', NULL, NULL, true, NULL, 'paid', true, NULL, 7, '2027-06-01', '2027-02-01', 'active', '2027-06-01', NULL),
-- past_due
('past_due, failed', 'past_due', NULL, NULL, false, NULL, 'open', true, '2026-01-01', 7, NULL, '2026-01-05', 'grace', '2026-01-08', '2026-01-08'),
('past_due, last second of grace', 'past_due', NULL, NULL, false, NULL, 'open', true, '2026-01-01', 7, NULL, '2026-01-07 23:59:59', 'grace', '2026-01-08', '2026-01-08'),
('past_due, grace over', 'past_due', NULL, NULL, false, NULL, 'open', true, '2026-01-01', 7, NULL, '2026-01-08', 'lapsed', '2026-01-08', '2026-01-08'),
('past_due, no moment of failure known', 'past_due', NULL, NULL, false, NULL, NULL, NULL, NULL, 7, NULL, '2026-01-05', 'grace', '2026-01-08', '2026-01-08'),
('past_due, in mid-period', 'past_due', NULL, NULL, false, NULL, 'open', false, '2026-06-01', 7, NULL, '2026-06-05', 'grace', '2026-06-08', '2026-06-08'),
('past_due, no grace', 'past_due', NULL, NULL, false, NULL, 'open', true, '2026-01-02', 0, NULL, '2026-01-02', 'lapsed', '2026-01-02', '2026-01-02'),
('past_due, longest grace', 'past_due', NULL, NULL, false, NULL, 'open', true, '2026-01-01', 30, NULL, '2026-01-30', 'grace', '2026-01-31', '2026-01-31'),
('past_due, invoice paid meanwhile', 'past_due', NULL, NULL, false, NULL, 'paid', true, '2026-01-01', 7, NULL, '2026-01-05', 'active', '2027-01-04', NULL),
('past_due, invoice paid after grace', 'past_due', NULL, NULL, false, NULL, 'paid', true, '2026-01-01', 7, NULL, '2026-02-05', 'active', '2027-01-04', NULL),
('past_due, invoice written off', 'past_due', NULL, NULL, false, NULL, 'uncollectible', true, '2026-01-01', 7, NULL, '2026-01-05', 'grace', '2026-01-08', '2026-01-08'),
('past_due, ends within grace', 'past_due', NULL, '2026-01-04', false, NULL, 'open', true, '2026-01-01', 7, NULL, '2026-01-03', 'grace', '2026-01-04', '2026-01-08'),
('past_due, ended within grace', 'past_due', NULL, '2026-01-04', false, NULL, 'open', true, '2026-01-01', 7, NULL, '2026-01-05', 'ended', '2026-01-04', '2026-01-08'),
('past_due, override after grace', 'past_due', NULL, NULL, false, NULL, 'open', true, '2026-01-01', 7, '2026-07-01', '2026-06-01', 'active', '2026-07-01', '2026-01-08'),
-- the rest
('unpaid', 'unpaid', NULL, NULL, false, NULL, 'open', true, '2026-02-01', 7, NULL, '2026-02-02', 'lapsed', '2026-02-01', NULL),
('unpaid, within what grace would be', 'unpaid', NULL, NULL, false, NULL, 'open', true, '2026-02-01', 30, NULL, '2026-02-20', 'lapsed', '2026-02-01', NULL),
('unpaid, override', 'unpaid', NULL, NULL, false, NULL, 'open', true, '2026-02-01', 7, '2026-07-01', '2026-06-01', 'active', '2026-07-01', NULL),
('paused', 'paused', NULL, NULL, false, NULL, 'paid', true, NULL, 7, NULL, '2026-06-01', 'paused', NULL, NULL),
('paused, to be canceled', 'paused', NULL, '2026-08-01', false, NULL, 'paid', true, NULL, 7, NULL, '2026-06-01', 'paused', NULL, NULL),
('paused, override', 'paused', NULL, NULL, false, NULL, 'paid', true, NULL, 7, '2026-07-01', '2026-06-01', 'active', '2026-07-01', NULL),
('canceled', 'canceled', NULL, NULL, false, '2026-05-01', 'paid', true, NULL, 7, NULL, '2026-06-01', 'ended', '2026-05-01', NULL),
('canceled, the second it ended', 'canceled', NULL, NULL, false, '2026-06-01', 'paid', true, NULL, 7, NULL, '2026-06-01', 'ended', '2026-06-01', NULL),
('canceled, by a clock ahead of ours', 'canceled', NULL, NULL, false, '2026-06-02', 'paid', true, NULL, 7, NULL, '2026-06-01', 'canceling', '2026-06-02', NULL),
('canceled, no end known', 'canceled', NULL, NULL, false, NULL, 'paid', true, NULL, 7, NULL, '2026-06-01', 'ended', NULL, NULL),
('canceled by dunning', 'canceled', NULL, NULL, false, '2026-03-01', 'open', true, '2026-02-01', 7, NULL, '2026-06-01', 'ended', '2026-03-01', NULL),
('canceled, override', 'canceled', NULL, NULL, false, '2026-05-01', 'paid', true, NULL, 7, '2026-07-01', '2026-06-01', 'active', '2026-07-01', NULL),
('a status of the future', 'hibernating', NULL, NULL, false, NULL, 'paid', true, NULL, 7, NULL, '2026-06-01', 'lapsed', NULL, NULL),
('a status of the future, override', 'hibernating', NULL, NULL, false, NULL, 'paid', true, NULL, 7, '2026-07-01', '2026-06-01', 'active', '2026-07-01', NULL);

SELECT plan((4 * count(*) + 9)::integer) FROM cells;

CREATE TEMP VIEW answers AS
SELECT c.*, s.state AS got_state, s.access_from, s.access_until AS got_until, s.grace_until AS got_grace
  FROM cells c
 CROSS JOIN LATERAL stripe.membership_state(c.status, '2026-01-01', '2026-01-01', '2027-01-01', c.trial_end,
	c.cancel_at, c.period_end_cancels, c.ended_at, c.invoice, c.renews, c.failed_at, c.grace, '3 days',
	CASE WHEN c.override_until IS NOT NULL THEN timestamptz '2026-05-15' END, c.override_until, c.at) s;

SELECT is(got_state, state, name || ': state') FROM answers ORDER BY n;
SELECT is(got_until, access_until, name || ': until') FROM answers ORDER BY n;
SELECT is(got_grace, grace_until, name || ': grace') FROM answers ORDER BY n;
SELECT is(COALESCE(access_from <= at AND at < got_until, false),
		  got_state IN ('active', 'trialing', 'canceling', 'grace'),
		  name || ': access agrees with the state')
  FROM answers ORDER BY n;

-- As time passes.
SELECT is(stripe.membership_status('active', '2027-01-04', NULL, '2027-01-03'), 'active', 'active stays active');
SELECT is(stripe.membership_status('active', '2027-01-04', NULL, '2027-01-04'), 'lapsed', 'then lapses');
SELECT is(stripe.membership_status('canceling', '2027-01-01', '2027-01-01', '2027-01-01'), 'ended', 'canceling ends');
SELECT is(stripe.membership_status('grace', '2026-01-08', NULL, '2026-01-08'), 'lapsed', 'grace lapses');
SELECT is(stripe.membership_status('paused', NULL, NULL, '2030-01-01'), 'paused', 'paused stays paused');
SELECT is(stripe.membership_status('ended', '2026-01-08', NULL, '2030-01-01'), 'ended', 'ended stays ended');
SELECT is(stripe.membership_status(NULL, NULL, NULL, now()), NULL, 'no state, no answer');

-- Defaults: the account's grace and slack where nothing else is said.
SELECT is((stripe.membership_state('past_due', failed_at => '2026-01-01', start_date => '2025-01-01', at => '2026-01-07')).state,
		  'grace', 'seven days of grace');
SELECT is((stripe.membership_state('active', start_date => '2025-01-01', period_end => '2026-01-01', at => '2026-01-03')).state,
		  'active', 'three days of slack');

SELECT * FROM finish();
ROLLBACK;
