/* The floor of signed forwarding: one thread that does only what no forwarder of signed calls can leave out, and so a
 * lower bound of what a call costs. Each POST becomes a call of the Alipay gateway with the sign string and the form
 * that holdfast sends: SHA-256, RSA-2048 signature; one write and one read on a connection that stays; the signature of
 * the answer verified over the raw bytes that it covers; 200 or 502 to the client. That is two reads, two writes and a
 * share of epoll_wait. Left out is all else that a gateway is for: who asks, replays, JSON, limits, disk, metrics,
 * timeouts, other threads. It is no program to put anywhere: what it does not expect ends it, with a word on what.
 * usage: signer PORT GATEWAY_PORT APP_KEY GATEWAY_PUBLIC_KEY      (127.0.0.1 only) */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { kPairs = 256, kRoom = 8192, kEvents = 64, kSignature = 256, kSignatureText = 344 };

typedef struct { const char *at; size_t size; } View;
typedef struct { char bytes[kRoom]; size_t size; } Text;
/* One client and the gateway's connection that serves it alone; a socket of -1 is not open. */
typedef struct { int client, gateway, waiting; char order[64]; Text asked, answered; } Pair;

static Pair pairs[kPairs];
static int ep, gateway_port;
static EVP_MD *sha256;
static EVP_MD_CTX *hashing;
static EVP_PKEY_CTX *signing, *verifying;                 /* either serves any number of calls */

static void die(const char *what, const char *why) { fprintf(stderr, "signer: %s: %s\n", what, why); exit(1); }
static void fail(const char *what) { die(what, strerror(errno)); }
static void fail_crypto(const char *what) { die(what, ERR_reason_error_string(ERR_get_error()) ?: "refused"); }

static void add(Text *to, const char *bytes, size_t size) {
    if (size > kRoom - to->size) die("request or answer", "longer than 8 KiB");
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}
static void add_text(Text *to, const char *text) { add(to, text, strlen(text)); }
static void add_view(Text *to, View v) { add(to, v.at, v.size); }

/* As the official SDK writes a form: A-Za-z0-9*-._ stay, a space becomes '+', the rest %XX. */
static void add_form(Text *to, const char *bytes, size_t size) {
    static const char digits[] = "0123456789ABCDEF";
    if (size > (kRoom - to->size) / 3) die("form", "longer than 8 KiB");
    char *out = to->bytes + to->size;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = bytes[i];
        if (isalnum(c) || c == '*' || c == '-' || c == '.' || c == '_') *out++ = c;
        else if (c == ' ') *out++ = '+';
        else { *out++ = '%'; *out++ = digits[c >> 4]; *out++ = digits[c & 15]; }
    }
    to->size = out - to->bytes;
}

/* What stands between `before` and the next `end`. */
static View between(View in, const char *before, char end) {
    const char *from = memmem(in.at, in.size, before, strlen(before));
    if (from) from += strlen(before);
    const char *to = from ? memchr(from, end, in.at + in.size - from) : NULL;
    if (!to) die("not in what was received", before);
    return (View){ from, to - from };
}

/* The body of a message that is there whole; nothing (at NULL) while it is not. */
static View body_of(const Text *t) {
    const char *blank = memmem(t->bytes, t->size, "\r\n\r\n", 4);
    if (!blank) return (View){ NULL, 0 };
    View head = { t->bytes, blank + 2 - t->bytes }, length = between(head, "\r\nContent-Length: ", '\r');
    size_t start = head.size + 2, size = strtoul(length.at, NULL, 10);
    if (size > kRoom - start) die("Content-Length", "the message is longer than 8 KiB");
    if (t->size > start + size) die("message", "more bytes than its Content-Length says");
    return t->size == start + size ? (View){ t->bytes + start, size } : (View){ NULL, 0 };
}

static void digest_of(View v, unsigned char digest[32]) {
    if (EVP_DigestInit_ex(hashing, sha256, NULL) != 1 || EVP_DigestUpdate(hashing, v.at, v.size) != 1 ||
        EVP_DigestFinal_ex(hashing, digest, NULL) != 1)
        fail_crypto("SHA-256");
}

static void sign_text(const Text *t, char out[kSignatureText + 1]) {
    unsigned char digest[32], raw[kSignature];
    size_t size = sizeof raw;
    digest_of((View){ t->bytes, t->size }, digest);
    if (EVP_PKEY_sign(signing, raw, &size, digest, sizeof digest) != 1) fail_crypto("signature");
    EVP_EncodeBlock((unsigned char *)out, raw, size);
}

static int is_signed(View node, View signature) {
    unsigned char digest[32], raw[kSignature + 2];        /* the padding's two '=' are decoded too */
    if (signature.size != kSignatureText) return 0;
    if (EVP_DecodeBlock(raw, (const unsigned char *)signature.at, signature.size) != (int)sizeof raw) return 0;
    digest_of(node, digest);
    int good = EVP_PKEY_verify(verifying, raw, kSignature, digest, sizeof digest) == 1;
    if (!good) ERR_clear_error();
    return good;
}

/* "2026-01-02 03:04:05" in GMT+8. */
static const char *timestamp(void) {
    static char text[32];
    static time_t last;
    time_t now = time(NULL);
    if (now == last) return text;
    time_t china = now + 8 * 3600;
    struct tm parts;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", gmtime_r(&china, &parts));
    last = now;
    return text;
}

static void watch(int fd, uint64_t tag) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = tag };
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)) fail("epoll_ctl");
}

static void open_gateway(Pair *p) {
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(gateway_port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->gateway = socket(AF_INET, SOCK_STREAM, 0);
    if (p->gateway < 0) fail("socket");
    if (connect(p->gateway, (struct sockaddr *)&to, sizeof to)) fail("connection to the gateway");
    watch(p->gateway, (p - pairs) * 2 + 1);
}

static void close_pair(Pair *p) {
    close(p->client);
    if (p->gateway >= 0) close(p->gateway);
    p->client = p->gateway = -1;
}

/* The client's body as a signed call. */
static void forward(Pair *p, View in) {
    static Text biz, content, form, out;
    static const char app_id[] = "2021000000000001", method[] = "alipay.user.faceverify.verify";
    char sign[kSignatureText + 1], line[256];
    const char *now = timestamp();
    View order = between(in, "\"orderNo\":\"", '"');
    if (order.size >= sizeof p->order) die("orderNo", "too long");
    snprintf(p->order, sizeof p->order, "%.*s", (int)order.size, order.at);
    biz.size = content.size = form.size = out.size = 0;
    add_text(&biz, "{\"face_image\":\""); add_view(&biz, between(in, "\"image\":\"", '"'));
    add_text(&biz, "\",\"outer_order_no\":\""); add_view(&biz, order);
    add_text(&biz, "\",\"user_id\":\""); add_view(&biz, between(in, "\"subject\":\"", '"'));
    add_text(&biz, "\",\"verify_scene\":\""); add_view(&biz, between(in, "\"scene\":\"", '"'));
    add_text(&biz, "\"}");
    add_text(&content, "app_id="); add_text(&content, app_id);
    add_text(&content, "&biz_content="); add(&content, biz.bytes, biz.size);
    add_text(&content, "&charset=utf-8&format=JSON&method="); add_text(&content, method);
    add_text(&content, "&sign_type=RSA2&timestamp="); add_text(&content, now);
    add_text(&content, "&version=1.0");
    sign_text(&content, sign);
    add_text(&form, "biz_content="); add_form(&form, biz.bytes, biz.size);
    add_text(&out, "POST /gateway.do?method="); add_text(&out, method);
    add_text(&out, "&app_id="); add_text(&out, app_id);
    add_text(&out, "&charset=utf-8&version=1.0&sign_type=RSA2&timestamp="); add_form(&out, now, strlen(now));
    add_text(&out, "&format=JSON&sign="); add_form(&out, sign, kSignatureText);
    snprintf(line, sizeof line, " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: application/json\r\nContent-Type: "
             "application/x-www-form-urlencoded;charset=UTF-8\r\nContent-Length: %zu\r\n\r\n", gateway_port, form.size);
    add_text(&out, line); add(&out, form.bytes, form.size);
    if (p->gateway < 0) open_gateway(p);
    if (send(p->gateway, out.bytes, out.size, MSG_NOSIGNAL) != (ssize_t)out.size) fail("write to the gateway");
    p->waiting = 1;
    p->answered.size = 0;
}

/* The gateway's answer to the client: never a pass that is not signed. */
static void answer(Pair *p, View in) {
    static const char head[] = "{\"alipay_user_faceverify_verify_response\":", mark[] = "},\"sign\":\"";
    char body[512], out[1024];
    View node = { in.at + sizeof head - 1, 0 };
    const char *end = memmem(in.at, in.size, mark, sizeof mark - 1);
    int good = in.size > sizeof head && !memcmp(in.at, head, sizeof head - 1) && end && end > node.at;
    if (good) {
        node.size = end + 1 - node.at;
        good = is_signed(node, between((View){ end, in.at + in.size - end }, mark, '"'));
    }
    const char *outcome = !good ? "none" : memmem(node.at, node.size, "\"passed\":\"T\"", 12) ? "pass" : "fail";
    const char *source = good ? "live" : "an answer that is not signed by the gateway";
    int size = snprintf(body, sizeof body, "{\"orderNo\":\"%s\",\"outcome\":\"%s\",\"source\":\"%s\"}", p->order,
                        outcome, source);
    size = snprintf(out, sizeof out, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                    "%s", good ? "200 OK" : "502 Bad Gateway", size, body);
    p->waiting = 0;
    p->asked.size = 0;
    if (send(p->client, out, size, MSG_NOSIGNAL) != size) close_pair(p);   /* it has gone, as a load at its end */
}

/* Reads once: as a message is less than there is room for, the socket is empty then. 0: closed. */
static int receive(int fd, Text *t) {
    ssize_t n = recv(fd, t->bytes + t->size, kRoom - t->size, MSG_DONTWAIT);
    if (n > 0) t->size += n;
    if (t->size == kRoom) die("message", "longer than 8 KiB");
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static void on_client(Pair *p, uint32_t events) {
    if (p->client < 0) return;                            /* closed by an event before this one */
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) || !receive(p->client, &p->asked)) {
        close_pair(p);
        return;
    }
    if (p->waiting) die("client", "asks before it is answered");
    View body = body_of(&p->asked);
    if (body.at) forward(p, body);
}

static void on_gateway(Pair *p) {
    if (p->gateway < 0) return;
    if (!receive(p->gateway, &p->answered)) die("gateway", "closed a connection");
    View body = body_of(&p->answered);
    if (body.at && !p->waiting) die("gateway", "answers what nobody asked");
    if (body.at) answer(p, body);
}

static void accept_clients(int server) {
    for (int fd; (fd = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        Pair *p = pairs;
        while (p < pairs + kPairs && p->client >= 0) p++;
        if (p == pairs + kPairs) die("clients", "more than 256 at a time");
        p->client = fd;
        p->waiting = 0;
        p->asked.size = p->answered.size = 0;
        watch(fd, (p - pairs) * 2);
    }
    if (errno != EAGAIN && errno != ECONNABORTED) fail("accept");
}

static EVP_PKEY_CTX *prepared(const char *path, int private_half) {
    FILE *file = fopen(path, "r");
    if (!file) fail(path);
    EVP_PKEY *key = private_half ? PEM_read_PrivateKey(file, NULL, NULL, "") : PEM_read_PUBKEY(file, NULL, NULL, NULL);
    fclose(file);
    if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_size(key) != kSignature)
        die(path, "is no RSA key of 2048 bits");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    if (!ctx || (private_half ? EVP_PKEY_sign_init(ctx) : EVP_PKEY_verify_init(ctx)) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1 || EVP_PKEY_CTX_set_signature_md(ctx, sha256) != 1)
        fail_crypto(path);
    return ctx;
}

static int listening(int port) {
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1024)) fail("listening");
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 5) { fprintf(stderr, "usage: signer PORT GATEWAY_PORT APP_KEY GATEWAY_PUBLIC_KEY\n"); return 2; }
    gateway_port = strtol(argv[2], NULL, 10);
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hashing = EVP_MD_CTX_new();
    if (!sha256 || !hashing) fail_crypto("SHA-256");
    signing = prepared(argv[3], 1);
    verifying = prepared(argv[4], 0);
    for (Pair *p = pairs; p < pairs + kPairs; p++) p->client = p->gateway = -1;
    int server = listening(strtol(argv[1], NULL, 10));
    struct epoll_event events[kEvents], e = { .events = EPOLLIN, .data.u64 = UINT64_MAX };
    ep = epoll_create1(0);
    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, server, &e)) fail("epoll");
    for (;;) {
        int n = epoll_wait(ep, events, kEvents, -1);
        if (n < 0 && errno != EINTR) fail("epoll_wait");
        int arrived = 0;
        for (int i = 0; i < n; i++) {
            uint64_t tag = events[i].data.u64;
            if (tag == UINT64_MAX) arrived = 1;
            else if (tag % 2) on_gateway(&pairs[tag / 2]);
            else on_client(&pairs[tag / 2], events[i].events);
        }
        if (arrived) accept_clients(server);              /* last: no event of this turn is of a pair that it fills */
    }
}
