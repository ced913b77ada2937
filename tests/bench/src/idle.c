/* TLS 1.3 client for idle connections: opens COUNT, asks GET /healthz once on each, prints READY, then holds them
 * in silence until a line comes on standard input.   usage: idle PORT COUNT
 * At most 64 are being opened at a time. A connection that fails ends the program with status 1. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

typedef struct { int fd, asked, got; SSL *ssl; } Slot;

static SSL_CTX *ctx;
static int ep, port, held;

static void fail(const char *what) { fprintf(stderr, "idle: %s: %s\n", what, strerror(errno)); exit(1); }

static void open_slot(Slot *s) {
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (s->fd < 0) fail("socket");
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) fail("connect");
    s->ssl = SSL_new(ctx);
    SSL_set_tlsext_host_name(s->ssl, "edge.test");
    SSL_set_fd(s->ssl, s->fd);
    SSL_set_connect_state(s->ssl);
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = s };
    if (epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &e)) fail("epoll_ctl");
}

/* 1 when it must wait, 0 when the step is done. */
static int waits(Slot *s, int r) {
    if (r > 0) return 0;
    int why = SSL_get_error(s->ssl, r);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return 1;
    fail(s->got ? "closed while idle" : "handshake or request failed");
    return 1;
}

static void drive(Slot *s) {
    static const char ask[] = "GET /healthz HTTP/1.1\r\nHost: edge.test\r\n\r\n";
    char buf[16384];
    if (!s->asked) {
        if (waits(s, SSL_do_handshake(s->ssl))) return;
        if (SSL_write(s->ssl, ask, sizeof ask - 1) <= 0) fail("write");
        s->asked = 1;
    }
    for (;;) {
        int r = SSL_read(s->ssl, buf, sizeof buf);
        if (waits(s, r)) return;
        if (!s->got && strncmp(buf, "HTTP/1.1 200", 12)) { errno = EPROTO; fail("not answered 200"); }
        if (!s->got) held++;
        s->got = 1;
    }
}

int main(int argc, char **argv) {
    if (argc != 3) { fprintf(stderr, "usage: idle PORT COUNT\n"); return 2; }
    port = atoi(argv[1]);
    int slots = atoi(argv[2]), opened = 0;
    ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);       /* memory of the server is measured, not trust */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    ep = epoll_create1(0);
    Slot *all = calloc(slots, sizeof *all);
    struct epoll_event events[256];
    while (held < slots) {
        while (opened < slots && opened - held < 64) open_slot(&all[opened++]);
        int n = epoll_wait(ep, events, 256, 100);
        for (int i = 0; i < n; i++) drive(events[i].data.ptr);
    }
    printf("READY %d\n", held);
    fflush(stdout);
    getchar();
    return 0;
}
