/*-------------------------------------------------------------------------
 *
 * ingest.c
 *	  Sends statements as fast as the server takes them, one after the other on
 *	  each of some connections, and tells how long that took.
 *
 * Usage: ingest webhook|batch|insert FILE CONNECTIONS [BATCH]
 *
 * FILE has a line for each event: the number of the life it belongs to, a tab,
 * its signature, a tab, its payload.  Events of one life go to one connection,
 * in their order.  Everything is read and made ready before the clock starts.
 * Prints: events, seconds, and microseconds of a statement at the median and
 * at the 99th percentile.  Must not do anything that a statement of another
 * mode would not pay as well.
 *
 * bench/ingest.c
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_CONNECTIONS 64

typedef struct Statement
{
	char	   *payload;		/* or an array of them */
	char	   *signature;
	double		micros;
} Statement;

typedef struct Worker
{
	pthread_t	thread;
	PGconn	   *conn;
	Statement  *statements;
	int			n;
	int			space;
} Worker;

static Worker workers[MAX_CONNECTIONS];
static pthread_barrier_t start;
static const char *mode;

static void
fail(const char *what, const char *detail)
{
	fprintf(stderr, "ingest: %s: %s\n", what, detail);
	exit(1);
}

static double
now_micros(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* Appends a text as an element of an array's literal. */
static size_t
put_element(char *to, const char *text)
{
	char	   *p = to;

	*p++ = '"';
	for (; *text; text++)
	{
		if (*text == '"' || *text == '\\')
			*p++ = '\\';
		*p++ = *text;
	}
	*p++ = '"';
	return (size_t) (p - to);
}

static char *
make_array(Statement *statements, int n, int is_payload)
{
	size_t		size = 3;
	char	   *result;
	char	   *p;

	for (int i = 0; i < n; i++)
		size += 2 * strlen(is_payload ? statements[i].payload : statements[i].signature) + 3;
	p = result = malloc(size);
	*p++ = '{';
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			*p++ = ',';
		p += put_element(p, is_payload ? statements[i].payload : statements[i].signature);
	}
	*p++ = '}';
	*p = '\0';
	return result;
}

static void
join_batches(Worker *w, int batch)
{
	int			n = 0;

	for (int i = 0; i < w->n; i += batch)
	{
		int			size = w->n - i < batch ? w->n - i : batch;
		char	   *payloads = make_array(w->statements + i, size, 1);
		char	   *signatures = make_array(w->statements + i, size, 0);

		w->statements[n++] = (Statement){payloads, signatures, 0};
	}
	w->n = n;
}

static int
read_file(const char *path, int connections)
{
	FILE	   *file = fopen(path, "r");
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		len;
	int			events = 0;

	if (file == NULL)
		fail("cannot open", path);
	while ((len = getline(&line, &size, file)) > 0)
	{
		Worker	   *w = &workers[atoi(line) % connections];
		char	   *copy = strdup(line);
		char	   *signature = strchr(copy, '\t') + 1;
		char	   *payload = strchr(signature, '\t') + 1;

		copy[len - 1] = '\0';
		payload[-1] = '\0';
		if (w->n == w->space)
		{
			w->space = w->space * 2 + 1024;
			w->statements = realloc(w->statements, sizeof(Statement) * w->space);
		}
		w->statements[w->n++] = (Statement){payload, signature, 0};
		events++;
	}
	fclose(file);
	return events;
}

/* The number of events that a statement did not take in. */
static const char *
statement_text(void)
{
	if (strcmp(mode, "webhook") == 0)
		return "SELECT (state = 'failed')::int FROM stripe_ingest_webhook($1::text, $2)";
	if (strcmp(mode, "batch") == 0)
		return "SELECT count(*) FILTER (WHERE state IS NULL OR state = 'failed')"
			   " FROM stripe_ingest_webhooks($1::text[], $2::text[])";
	return "WITH w AS (INSERT INTO bare (payload) VALUES ($1)) SELECT 0 WHERE $2::text IS NOT NULL";
}

static void *
run(void *arg)
{
	Worker	   *w = arg;

	pthread_barrier_wait(&start);
	for (int i = 0; i < w->n; i++)
	{
		const char *values[2] = {w->statements[i].payload, w->statements[i].signature};
		double		began = now_micros();
		PGresult   *result = PQexecPrepared(w->conn, "s", 2, values, NULL, NULL, 0);

		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			fail("a statement failed", PQerrorMessage(w->conn));
		if (strcmp(PQgetvalue(result, 0, 0), "0") != 0)
			fail("an event was not taken in", PQgetvalue(result, 0, 0));
		PQclear(result);
		w->statements[i].micros = now_micros() - began;
	}
	return NULL;
}

static int
compare_micros(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	int			connections = argc > 3 ? atoi(argv[3]) : 0;
	int			batch = argc > 4 ? atoi(argv[4]) : 500;
	int			events;
	int			n = 0;
	double		began;
	double		seconds;
	double	   *micros;

	if (connections < 1 || connections > MAX_CONNECTIONS)
		fail("usage", "ingest webhook|batch|insert FILE CONNECTIONS [BATCH]");
	mode = argv[1];
	events = read_file(argv[2], connections);
	pthread_barrier_init(&start, NULL, connections + 1);
	for (int i = 0; i < connections; i++)
	{
		Worker	   *w = &workers[i];
		PGresult   *result;

		if (strcmp(mode, "batch") == 0)
			join_batches(w, batch);
		w->conn = PQconnectdb("");
		if (PQstatus(w->conn) != CONNECTION_OK)
			fail("cannot connect", PQerrorMessage(w->conn));
		result = PQprepare(w->conn, "s", statement_text(), 2, NULL);
		if (PQresultStatus(result) != PGRES_COMMAND_OK)
			fail("cannot prepare", PQerrorMessage(w->conn));
		PQclear(result);
		pthread_create(&w->thread, NULL, run, w);
	}
	pthread_barrier_wait(&start);
	began = now_micros();
	for (int i = 0; i < connections; i++)
		pthread_join(workers[i].thread, NULL);
	seconds = (now_micros() - began) / 1e6;

	micros = malloc(sizeof(double) * events);
	for (int i = 0; i < connections; i++)
		for (int j = 0; j < workers[i].n; j++)
			micros[n++] = workers[i].statements[j].micros;
	qsort(micros, n, sizeof(double), compare_micros);
	printf("%d %.6f %.1f %.1f\n", events, seconds, micros[n / 2], micros[(int) (n * 0.99)]);
	return 0;
}
