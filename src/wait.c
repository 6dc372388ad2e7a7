/*-------------------------------------------------------------------------
 *
 * wait.c
 *	  The one place where the extension waits.
 *
 * A backend that waits for Stripe must still cancel, time out, terminate,
 * absorb barriers and notice the postmaster's death.  All of these set the
 * latch, so one WaitEventSet over the latch, the postmaster and the sockets
 * serves them; CHECK_FOR_INTERRUPTS does the rest.
 *
 * A WaitEventSet has no call to remove a socket, and the library that owns
 * the sockets changes its mind from within callbacks in which nothing of
 * PostgreSQL may run.  Hence two steps: wait_note_socket() writes an array,
 * wait_for() makes the set anew if it was made from another array, or if a
 * socket was opened or closed since, whose number tells nothing.  The set
 * belongs to the backend, not to a transaction: an error leaves it valid.
 *
 * This file knows nothing of HTTP.
 *
 * src/wait.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "compat.h"
#include "wait.h"

typedef struct WatchedSocket
{
	int			fd;
	int			interest;
	int			position;		/* in the set */
} WatchedSocket;

static WatchedSocket watched[WAIT_MAX_SOCKETS];
static int	nwatched = 0;
static WaitEventSet *wait_set = NULL;
static WatchedSocket in_set[WAIT_MAX_SOCKETS];	/* what wait_set was made from */
static int	nin_set = -1;		/* -1: wait_set is not to be used again */
static uint32 wait_event = 0;

bool
wait_note_socket(int fd, int interest)
{
	int			i = 0;

	while (i < nwatched && watched[i].fd != fd)
		i++;

	if (interest == WAIT_NOTHING)
	{
		if (i == nwatched)
			return true;
		watched[i] = watched[--nwatched];
	}
	else
	{
		if (i == WAIT_MAX_SOCKETS)
			return false;
		if (i == nwatched)
			watched[nwatched++].fd = fd;
		watched[i].interest = interest;
	}
	return true;
}

void
wait_socket_changed(void)
{
	nin_set = -1;
}

static uint32
wanted_events(const WatchedSocket *w)
{
	return ((w->interest & WAIT_READABLE) ? WL_SOCKET_READABLE : 0) |
		((w->interest & WAIT_WRITEABLE) ? WL_SOCKET_WRITEABLE : 0);
}

/*
 * Makes a new set.  The old one is freed first and the new one is reachable
 * from the start, so that an error half way leaks nothing.
 */
static void
rebuild_set(void)
{
	nin_set = -1;
	if (wait_set != NULL)
	{
		WaitEventSet *old = wait_set;

		wait_set = NULL;
		FreeWaitEventSet(old);
	}
	wait_set = compat_create_wait_event_set(nwatched + 2);
	AddWaitEventToSet(wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	for (int i = 0; i < nwatched; i++)
		in_set[i].position = AddWaitEventToSet(wait_set, wanted_events(&watched[i]),
											   watched[i].fd, NULL, NULL);
}

/*
 * Brings the set in line with the array: as it is, if it is the same; with
 * other events, if the sockets are; else anew.
 */
static void
update_set(void)
{
	bool		same_sockets = wait_set != NULL && nin_set == nwatched;

	for (int i = 0; i < nwatched && same_sockets; i++)
		same_sockets = in_set[i].fd == watched[i].fd;
	if (!same_sockets)
		rebuild_set();
	else
		for (int i = 0; i < nwatched; i++)
			if (in_set[i].interest != watched[i].interest)
				ModifyWaitEvent(wait_set, in_set[i].position, wanted_events(&watched[i]), NULL);
	for (int i = 0; i < nwatched; i++)
	{
		in_set[i].fd = watched[i].fd;
		in_set[i].interest = watched[i].interest;
	}
	nin_set = nwatched;
}

int
wait_for(long timeout_ms, WaitReady *ready, int nready)
{
	WaitEvent	events[WAIT_MAX_SOCKETS + 2];
	int			nevents;
	int			found = 0;

	if (wait_event == 0)
		wait_event = compat_wait_event_new("MemberpulseStripeRequest");
	update_set();

	nevents = WaitEventSetWait(wait_set, timeout_ms, events,
							   Min(nready, WAIT_MAX_SOCKETS) + 1, wait_event);
	for (int i = 0; i < nevents; i++)
	{
		if (events[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		else if (found < nready)
		{
			ready[found].fd = events[i].fd;
			ready[found].ready =
				((events[i].events & WL_SOCKET_READABLE) ? WAIT_READABLE : 0) |
				((events[i].events & WL_SOCKET_WRITEABLE) ? WAIT_WRITEABLE : 0);
			found++;
		}
	}
	CHECK_FOR_INTERRUPTS();
	return found;
}

void
wait_sleep(double ms)
{
	double		until = wait_clock() + ms;
	double		left;

	CHECK_FOR_INTERRUPTS();
	while ((left = until - wait_clock()) > 0)
		wait_for((long) left + 1, NULL, 0);
}

double
wait_clock(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MILLISEC(now);
}
