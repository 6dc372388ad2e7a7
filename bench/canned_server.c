/*-------------------------------------------------------------------------
 *
 * canned_server.c
 *	  Answers every request with the same bytes, as fast as a socket allows.
 *
 * Usage: canned_server ANSWER REQUEST [CERTIFICATE KEY]
 *
 * ANSWER holds the answer, head and body.  The first request ever received is
 * written to REQUEST, and every later one must be equal to it, byte for byte:
 * one that is not gets a status of 599.  So two clients that both finish have
 * sent the same bytes.  Only requests without a body are understood.
 *
 * With a certificate the connections are TLS.  Listens on a free port of
 * 127.0.0.1, prints it, and ends when its standard input does.  A thread for
 * each connection, which blocks: there is nothing else for it to do.
 *
 * bench/canned_server.c
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_REQUEST 16384

static const char refusal[] =
	"HTTP/1.1 599 Not The Same Request\r\nContent-Length: 0\r\n\r\n";

static char *answer;
static size_t answer_len;
static const char *request_file;
static SSL_CTX *tls;			/* NULL: plain */

static pthread_mutex_t first_lock = PTHREAD_MUTEX_INITIALIZER;
static char first[MAX_REQUEST];
static size_t first_len;		/* 0: none yet */

/* A connection, encrypted or not. */
typedef struct Peer
{
	int			fd;
	SSL		   *ssl;
} Peer;

static ssize_t
peer_read(Peer *peer, char *buf, size_t size)
{
	if (peer->ssl != NULL)
		return SSL_read(peer->ssl, buf, (int) size);
	return read(peer->fd, buf, size);
}

/* Both ways of writing take all or fail: the socket blocks. */
static bool
peer_write(Peer *peer, const char *buf, size_t len)
{
	if (peer->ssl != NULL)
		return SSL_write(peer->ssl, buf, (int) len) == (int) len;
	return write(peer->fd, buf, len) == (ssize_t) len;
}

static void
read_answer(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	long		size;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
		err(1, "%s", path);
	rewind(file);
	answer_len = (size_t) size;
	answer = malloc(answer_len + 1);
	if (answer == NULL || fread(answer, 1, answer_len, file) != answer_len)
		err(1, "%s", path);
	fclose(file);
}

/* Whether a request equals the first; the first equals itself. */
static bool
is_same(const char *request, size_t len)
{
	bool		same;

	pthread_mutex_lock(&first_lock);
	if (first_len == 0)
	{
		FILE	   *file = fopen(request_file, "wb");

		if (file == NULL || fwrite(request, 1, len, file) != len || fclose(file) != 0)
			err(1, "%s", request_file);
		memcpy(first, request, len);
		first_len = len;
	}
	same = first_len == len && memcmp(first, request, len) == 0;
	pthread_mutex_unlock(&first_lock);
	return same;
}

static void
serve(Peer *peer)
{
	char		request[MAX_REQUEST + 1];
	size_t		len = 0;

	for (;;)
	{
		ssize_t		n = peer_read(peer, request + len, MAX_REQUEST - len);
		bool		same;

		if (n <= 0)
			return;
		len += (size_t) n;
		request[len] = '\0';
		if (strstr(request, "\r\n\r\n") == NULL)
			continue;
		same = is_same(request, len);
		if (!peer_write(peer, same ? answer : refusal, same ? answer_len : strlen(refusal)))
			return;
		len = 0;
	}
}

static void *
run_connection(void *arg)
{
	Peer		peer = {.fd = (int) (intptr_t) arg};
	int			on = 1;

	setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (tls != NULL)
	{
		peer.ssl = SSL_new(tls);
		SSL_set_fd(peer.ssl, peer.fd);
		if (SSL_accept(peer.ssl) == 1)
			serve(&peer);
		SSL_free(peer.ssl);
		ERR_clear_error();
	}
	else
		serve(&peer);
	close(peer.fd);
	return NULL;
}

static int
listen_on_free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	len = sizeof(address);
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *) &address, &len) != 0)
		err(1, "could not listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* Ends the process with its standard input. */
static void *
watch_input(void *arg)
{
	char		c;

	(void) arg;
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	exit(0);
}

int
main(int argc, char **argv)
{
	pthread_t	thread;
	int			listener;

	if (argc != 3 && argc != 5)
		errx(1, "usage: canned_server ANSWER REQUEST [CERTIFICATE KEY]");
	signal(SIGPIPE, SIG_IGN);
	read_answer(argv[1]);
	request_file = argv[2];
	if (argc == 5)
	{
		tls = SSL_CTX_new(TLS_server_method());
		if (tls == NULL || SSL_CTX_use_certificate_file(tls, argv[3], SSL_FILETYPE_PEM) != 1 ||
			SSL_CTX_use_PrivateKey_file(tls, argv[4], SSL_FILETYPE_PEM) != 1)
			errx(1, "could not use the certificate");
	}
	listener = listen_on_free_port();
	if (pthread_create(&thread, NULL, watch_input, NULL) != 0)
		errx(1, "could not start a thread");
	for (;;)
	{
		int			fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		if (pthread_create(&thread, NULL, run_connection, (void *) (intptr_t) fd) == 0)
			pthread_detach(thread);
		else
			close(fd);
	}
}
