/* The centre of the bench: reads any request to its end and answers with one fixed, valid outcome, or the file's body.
 * usage: stub PORT [FILE]      (127.0.0.1 only; no timeouts, no limits: for measuring) */
#include <llhttp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct { uv_tcp_t tcp; llhttp_t parser; int last; } Client;      /* tcp first: a uv_stream_t * is a Client * */

static const char kOutcome[] = "{\"outcome\":\"pass\",\"score\":0.98,\"verificationId\":\"v-1\",\"maxAgeSeconds\":600}";
static char answer[4096], body[2048], shared[65536];
static int answer_len;
static llhttp_settings_t on_request;

static void on_alloc(uv_handle_t *h, size_t n, uv_buf_t *b) { (void)h; (void)n; *b = uv_buf_init(shared, sizeof shared); }
static void on_close(uv_handle_t *h) { free(h); }
static void shut(Client *c) { if (!uv_is_closing((uv_handle_t *)c)) uv_close((uv_handle_t *)c, on_close); }

static int request_done(llhttp_t *p) {
    Client *c = p->data;
    uv_buf_t out = uv_buf_init(answer, answer_len);
    if (uv_try_write((uv_stream_t *)c, &out, 1) != answer_len) return -1;   /* an answer always fits an empty socket */
    c->last = !llhttp_should_keep_alive(p);
    return 0;
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b) {
    Client *c = (Client *)s;
    if (n < 0 || llhttp_execute(&c->parser, b->base, n) != HPE_OK || c->last) shut(c);
}

static void on_connection(uv_stream_t *server, int status) {
    if (status < 0) return;
    Client *c = calloc(1, sizeof *c);
    uv_tcp_init(server->loop, &c->tcp);
    if (uv_accept(server, (uv_stream_t *)c)) { shut(c); return; }
    uv_tcp_nodelay(&c->tcp, 1);
    llhttp_init(&c->parser, HTTP_REQUEST, &on_request);
    c->parser.data = c;
    uv_read_start((uv_stream_t *)c, on_alloc, on_read);
}

int main(int argc, char **argv) {
    if (argc != 2 && argc != 3) { fprintf(stderr, "usage: stub PORT [FILE]\n"); return 2; }
    signal(SIGPIPE, SIG_IGN);
    strcpy(body, kOutcome);
    if (argc == 3) {
        FILE *file = fopen(argv[2], "rb");
        size_t got = file ? fread(body, 1, sizeof body - 1, file) : 0;
        if (!got) { fprintf(stderr, "stub: %s cannot be read\n", argv[2]); return 1; }
        body[got] = '\0';
        fclose(file);
    }
    answer_len = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    llhttp_settings_init(&on_request);
    on_request.on_message_complete = request_done;
    uv_tcp_t server;
    struct sockaddr_in at;
    uv_tcp_init(uv_default_loop(), &server);
    uv_ip4_addr("127.0.0.1", atoi(argv[1]), &at);
    uv_tcp_bind(&server, (struct sockaddr *)&at, 0);
    if (uv_listen((uv_stream_t *)&server, 4096, on_connection)) { fprintf(stderr, "stub: listen failed\n"); return 1; }
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
