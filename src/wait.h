/*-------------------------------------------------------------------------
 *
 * wait.h
 *	  The one place where the extension waits: for sockets, for its latch,
 *	  for time to pass, and never for longer than an interrupt takes.
 *
 * src/wait.h
 *-------------------------------------------------------------------------
 */
#ifndef MP_WAIT_H
#define MP_WAIT_H

#define WAIT_MAX_SOCKETS 64

typedef enum WaitInterest
{
	WAIT_NOTHING = 0,
	WAIT_READABLE = 1,
	WAIT_WRITEABLE = 2
} WaitInterest;

typedef struct WaitReady
{
	int			fd;
	int			ready;			/* WAIT_READABLE | WAIT_WRITEABLE */
} WaitReady;

/*
 * Notes what to wait for on a socket; WAIT_NOTHING forgets it.  Calls nothing
 * of PostgreSQL, so a foreign library's callback may use it.  False if more
 * than WAIT_MAX_SOCKETS sockets are watched.
 */
extern bool wait_note_socket(int fd, int interest);

/*
 * To be called when a socket is opened or closed, also from callbacks: its
 * number may have belonged to another one.
 */
extern void wait_socket_changed(void);

/*
 * Waits until a noted socket is ready, the latch is set, or "timeout_ms"
 * passed (-1: no limit).  Returns how many entries of ready[] were filled.
 * Raises whatever interrupt is pending; exits if the postmaster died.
 */
extern int	wait_for(long timeout_ms, WaitReady *ready, int nready);

/* Waits "ms" milliseconds, interrupts served, whatever wakes the latch. */
extern void wait_sleep(double ms);

/* Milliseconds of a clock that never jumps. */
extern double wait_clock(void);

#endif /* MP_WAIT_H */
