// Malformed HTTP at the real socket. Each row is one attack, signed as well as it can be, and followed on the same
// connection by a valid signed request: whatever takes the attack for something else would answer twice or call the
// centre. One answer, then the end of the connection, and nothing forwarded.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <functional>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

using Statuses = std::vector<int>;

struct Attack {
    std::string name;
    std::string bytes;
    Statuses allowed{400};
};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    if (at == std::string::npos) throw std::runtime_error("the row changes nothing");
    return text.replace(at, from.size(), to);
}

class Attacks {
  public:
    explicit Attacks(Site& site) : site_(site) {}

    // Signed, whole but for the fields' end: the row's own fields decide about the body.
    std::string open_head() {
        Ask ask = verify_ask(site_.order(), "LOGIN", "attacker");
        body_ = ask.body;
        return site_.head(ask);
    }
    void fields(const std::string& name, const std::string& lines, Statuses allowed = {400}) {
        const std::string head = open_head();
        all_.push_back({name, head + lines + "\r\n" + body_, std::move(allowed)});
    }
    void fields_and_length(const std::string& name, const std::string& lines, Statuses allowed = {400}) {
        const std::string head = open_head();
        all_.push_back({name, fmt::format("{}Content-Length: {}\r\n{}\r\n{}", head, body_.size(), lines, body_),
                        std::move(allowed)});
    }
    void change(const std::string& name, std::string_view from, std::string_view to, Statuses allowed = {400}) {
        const std::string head = open_head();
        const std::string whole = fmt::format("{}Content-Length: {}\r\n\r\n{}", head, body_.size(), body_);
        all_.push_back({name, replaced(whole, from, to), std::move(allowed)});
    }
    void chunked(const std::string& name, const std::string& wire, Statuses allowed = {400}) {
        all_.push_back({name, open_head() + "Transfer-Encoding: chunked\r\n\r\n" + wire, std::move(allowed)});
    }
    void raw(const std::string& name, const std::string& bytes, Statuses allowed = {400}) {
        all_.push_back({name, bytes, std::move(allowed)});
    }
    void target(const std::string& target, Statuses allowed = {400}) {
        change("target " + target, "POST /v1/verifications ", "POST " + target + " ", std::move(allowed));
    }

    void run_all() {
        for (const Attack& attack : all_) run_one(attack);
        CHECK(site_.centre_requests() == 0);
    }
    std::size_t size() const { return all_.size(); }

  private:
    void run_one(const Attack& attack) {
        INFO(attack.name);
        Client client = site_.connect();
        REQUIRE(client.connected());
        client.send(attack.bytes + site_.bytes(verify_ask(site_.order(), "LOGIN", "smuggled")));
        const auto bytes = client.until_closed(4s);
        CHECK(bytes.has_value());
        CHECK_FALSE(client.was_reset());
        const auto answers = all_answers(bytes.value_or(""));
        REQUIRE(answers);
        REQUIRE(answers->size() == 1);
        const HttpAnswer& answer = answers->front();
        INFO(answer.status << " " << answer.body);
        CHECK(std::find(attack.allowed.begin(), attack.allowed.end(), answer.status) != attack.allowed.end());
        CHECK(answer.interim == 0);
        CHECK(answer.header("Connection") == "close");
        CHECK_FALSE(answer.code().empty());
    }
    Site& site_;
    std::string body_;
    std::vector<Attack> all_;
};

void add_framing(Attacks& rows) {
    for (const char* value : {"", "+5", "-5", "0x5", "5_0", "5 5", "5,5", "5, 6", "5.0", "abc", "9223372036854775808",
                              "99999999999999999999"})
        rows.fields(fmt::format("Content-Length: {}", value), fmt::format("Content-Length: {}\r\n", value));
    for (const char* value : {"", "identity", "gzip", "gzip, chunked", "chunked, chunked", ",chunked", "chunked,",
                              "identity, chunked", "xchunked", "\"chunked\"", "chunked;q=1", "chunked\x0b",
                              "\x0b"
                              "chunked",
                              "Chunked", "CHUNKED"})
        rows.fields(fmt::format("Transfer-Encoding: {}", value), fmt::format("Transfer-Encoding: {}\r\n", value),
                    {400, 501});
    rows.fields("CL.TE", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n");
    rows.fields("TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n");
    rows.fields("TE.TE", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n");
    rows.fields("TE.TE, one obscured", "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n");
    rows.fields_and_length("Content-Length twice, equal", "Content-Length: 5\r\n");
    rows.fields_and_length("Content_Length", "Content_Length: 5\r\n");
    rows.fields_and_length("Transfer_Encoding", "Transfer_Encoding: chunked\r\n");
    rows.fields_and_length("space before the colon of Transfer-Encoding", "Transfer-Encoding : chunked\r\n");
    rows.change("Transfer-Encoding in HTTP/1.0", "HTTP/1.1\r\n", "HTTP/1.0\r\nTransfer-Encoding: chunked\r\n");
}

void add_syntax(Attacks& rows) {
    rows.fields_and_length("CR after an empty value, then Transfer-Encoding", "X:\rTransfer-Encoding: chunked\r\n");
    rows.fields_and_length("CR and a byte, then Content-Length", "X:\r\rContent-Length: 5\r\n");
    rows.fields_and_length("a bare CR in a value", "X: a\rb\r\n");
    rows.fields_and_length("a bare LF ends a line", "X: a\nY: b\r\n");
    rows.fields_and_length("NUL in a value", std::string("X: a\0b\r\n", 8));
    rows.fields_and_length("NUL in a name", std::string("X\0: a\r\n", 7));
    rows.fields_and_length("a control character in a value", "X: a\x01\r\n");
    rows.fields_and_length("DEL in a value", "X: a\x7f\r\n");
    rows.fields_and_length("obs-fold", "X: a\r\n b\r\n");
    rows.fields_and_length("obs-fold with a tab", "X: a\r\n\tContent-Length: 5\r\n");
    rows.fields_and_length("space before the colon", "X : a\r\n");
    rows.fields_and_length("tab before the colon", "X\t: a\r\n");
    rows.fields_and_length("an empty name", ": a\r\n");
    rows.fields_and_length("no colon", "Xa\r\n");
    rows.fields_and_length("an 8-bit name", "X\xc3\xa4: a\r\n");
    rows.fields_and_length("a name with a bracket", "X[]: a\r\n");
    rows.fields_and_length("Host twice", "Host: evil\r\n");
    rows.fields_and_length("Content-Type twice", "Content-Type: application/json\r\n");
    rows.change("a space before the first field", "\r\nHost:", "\r\n Host:");
    rows.change("no Host", "\r\nHost: ", "\r\nX-Host: ");
    rows.change("an empty Host", "\r\nHost: 127.0.0.1", "\r\nHost: ");
    rows.change("userinfo in Host", "\r\nHost: ", "\r\nHost: u@");
    rows.change("a path in Host", "\r\nAuthorization", "/x\r\nAuthorization");
    rows.change("bare LFs end the head", "\r\n\r\n", "\n\n");
    rows.change("CR CR LF ends the head", "\r\n\r\n", "\r\n\r\r\n");
    rows.change("CR LF CR X ends the head", "\r\n\r\n", "\r\n\rX");
}

void add_request_lines(Attacks& rows) {
    for (const auto& [line, allowed] :
         std::vector<std::pair<std::string, Statuses>>{{"POST /v1/verifications", {400, 505}},
                                                       {"POST /v1/verifications HTTP/0.9", {400, 505}},
                                                       {"POST /v1/verifications HTTP/2.0", {400, 505}},
                                                       {"POST /v1/verifications HTTP/1.2", {400, 505}},
                                                       {"POST /v1/verifications HTTP/1.1x", {400, 505}},
                                                       {"POST /v1/verifications http/1.1", {400, 505}},
                                                       {"post /v1/verifications HTTP/1.1", {400, 501}},
                                                       {"POST  /v1/verifications HTTP/1.1", {400}},
                                                       {"POST /v1/verifications  HTTP/1.1", {400}},
                                                       {"POST /v1/verifications HTTP/1.1 ", {400}},
                                                       {" POST /v1/verifications HTTP/1.1", {400}},
                                                       {"POST\t/v1/verifications HTTP/1.1", {400}},
                                                       {"POST /v1/ver ifications HTTP/1.1", {400}},
                                                       {"\r\n\r\nPOST /v1/verifications HTTP/1.1", {400}},
                                                       {"CONNECT 127.0.0.1:443 HTTP/1.1", {400, 405}},
                                                       {"FROB /v1/verifications HTTP/1.1", {400, 405, 501}}})
        rows.change("line: " + line, "POST /v1/verifications HTTP/1.1", line, allowed);
    rows.raw("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505});
    rows.raw("a PROXY line", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n");
    rows.raw("a TLS record inside", std::string("\x16\x03\x01\x02\x00\x01\x00", 7));
    rows.raw("garbage", "\xff\xfe\xfd garbage\r\n\r\n");
    for (const char* target :
         {"*", "v1/verifications", "a:443", "http://u@127.0.0.1/", "http://evil/v1/verifications", "ftp://x/", "//",
          "//v1/verifications", "/v1//verifications", "/v1/../v1/verifications", "/v1/./verifications",
          "/v1/%2e%2e/verifications", "/v1/verifications%00", "/v1/verifications%0d%0aX:%20y", "/v1/%zz",
          "/v1/verifications#f", "/v1\\verifications", "/v1/verifications\xc3\xa4"})
        rows.target(target);
    rows.target("/" + std::string(9000, 'a'), {414});
}

void add_chunks(Attacks& rows) {
    for (const char* wire : {"\r\n",
                             "5\nhello\r\n0\r\n\r\n",
                             "5\rXhello\r\n0\r\n\r\n",
                             "+5\r\nhello\r\n0\r\n\r\n",
                             "-5\r\n",
                             "0x5\r\nhello\r\n0\r\n\r\n",
                             " 5\r\nhello\r\n",
                             "5 \r\nhello\r\n0\r\n\r\n",
                             "g\r\n",
                             "00000000000000005\r\n",
                             "5;a\x01\r\nhello\r\n",
                             "5;a\nb\r\nhello\r\n",
                             "5\r\nhelloX\r\n0\r\n\r\n",
                             "5\r\nhello\n0\r\n\r\n",
                             ";a\r\n",
                             "0\r\n\rX",
                             "0\r\n\n",
                             "0\r\nX : v\r\n\r\n",
                             "0\r\nContent-Length: 5\r\n\r\n",
                             "0\r\nHost: evil\r\n\r\n",
                             "0\r\nAuthorization: x\r\n\r\n",
                             "0\r\nX-Nonce: abcdefghijklmnop\r\n\r\n",
                             "0\r\nX-Timestamp: 1767322984\r\n\r\n",
                             "0\r\nIdempotency-Key: x\r\n\r\n"})
        rows.chunked(fmt::format("chunk {}", wire), wire);
    rows.chunked("a chunk of 2^64-1 bytes", "ffffffffffffffff\r\n", {400, 413});
    rows.chunked("a chunk beyond the limit", "500000\r\n", {413});
    rows.chunked("chunk extensions beyond the limit", "1;" + std::string(5000, 'x') + "\r\na\r\n0\r\n\r\n", {413});
    rows.chunked("trailers beyond the limit", "0\r\nX: " + std::string(5000, 'x') + "\r\n\r\n", {413, 431});
}

void add_sizes(Attacks& rows) {
    rows.fields("a body declared beyond the limit", "Content-Length: 4194305\r\n", {413});
    rows.fields("the same, with Expect", "Content-Length: 4194305\r\nExpect: 100-continue\r\n", {413});
    rows.fields_and_length("header fields of 17 KiB", "X: " + std::string(17'000, 'x') + "\r\n", {431});
    std::string many;
    for (int i = 0; i < 101; ++i) many += fmt::format("X-{}: 1\r\n", i);
    rows.fields_and_length("101 more header fields", many, {431});
    rows.fields_and_length("an expectation that nobody knows", "Expect: 200-ok\r\n", {417});
    rows.fields_and_length("100-continue and more", "Expect: 100-continue, x\r\n", {417});
}

void run_against(Terms terms) {
    Site site(std::move(terms));
    Attacks rows(site);
    add_framing(rows);
    add_syntax(rows);
    add_request_lines(rows);
    add_chunks(rows);
    add_sizes(rows);
    REQUIRE(rows.size() >= 80);
    rows.run_all();
    Client client = site.connect();
    client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.answer().value_or(HttpAnswer{}).body == "ok");
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"framing\"}") >= 20);
    CHECK(site.metric("holdfast_http_rejects_total{reason=\"syntax\"}") >= 20);
}

// Sends the head, then the body, and is told in between to go on.
void served_in_two(Site& site, const Ask& ask) {
    Client client = site.connect();
    client.send(fmt::format("{}Content-Length: {}\r\n\r\n", site.head(ask), ask.body.size()));
    pause_for(100ms);
    client.send(ask.body);
    const auto answer = client.answer();
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->interim == 1);
}

}  // namespace

TEST_CASE("e2e: malformed HTTP gets one answer and the end of the connection, plain") {
    run_against({.tls = false});
}

TEST_CASE("e2e: malformed HTTP gets one answer and the end of the connection, over TLS") {
    run_against({});
}

TEST_CASE("e2e: plain HTTP and garbage at the TLS port reach no request") {
    Site site;
    const std::string signed_request = site.bytes(verify_ask(site.order(), "LOGIN", "user-1"));
    for (const std::string& bytes :
         {signed_request, std::string(70'000, '\x16'), std::string("\x16\x03\x01\xff\xff", 5)}) {
        Client client = Client::plain(site.port());
        client.send(bytes);
        client.finish_sending();
        const auto got = client.until_closed(6s);
        REQUIRE(got);
        CHECK(got->find("HTTP/1.1 200") == std::string::npos);
    }
    CHECK(site.centre_requests() == 0);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
}

TEST_CASE("e2e: a well-formed request is answered whatever may be ignored in it") {
    Site site;
    const auto status = [&site](const std::string& fields) {
        Ask ask = verify_ask(site.order(), "LOGIN", "user-1");
        ask.fields = fields;
        return site.ask(ask).status;
    };
    CHECK(status("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n") == 200);
    CHECK(status("X-Obs: \xe4\xf6\r\n") == 200);
    CHECK(status("Connection: close\r\n") == 200);
    CHECK(status("Expect: 100-continue\r\n") == 200);
    Ask ask = verify_ask(site.order(), "LOGIN", "user-1");
    Client client = site.connect();
    const std::string wire = fmt::format("{:x};a=\"b\"\r\n{}\r\n0\r\nX-T: v\r\n\r\n", ask.body.size(), ask.body);
    client.send(site.head(ask) + "Transfer-Encoding: chunked\r\n\r\n" + wire);
    CHECK(client.answer().value_or(HttpAnswer{}).status == 200);
}

TEST_CASE("e2e: pipelined requests are answered in order, each once") {
    Site site;
    Client client = site.connect();
    std::string all;
    for (int i = 0; i < 40; ++i) all += site.bytes(verify_ask("pipe-" + std::to_string(i), "LOGIN", "user-1"));
    REQUIRE(client.send(all));
    for (int i = 0; i < 40; ++i) {
        const auto answer = client.answer();
        REQUIRE(answer);
        CHECK(answer->json().text("orderNo") == "pipe-" + std::to_string(i));
    }
    CHECK(site.centre_requests() == 40);
}

TEST_CASE("e2e: 100-continue comes after the head was checked, and only then the body is asked for") {
    Site site;
    Ask ask = verify_ask(site.order(), "LOGIN", "user-1");
    ask.fields = "Expect: 100-continue\r\n";
    served_in_two(site, ask);
    ask.shift = -1000;
    Client late = site.connect();
    late.send(fmt::format("{}Content-Length: {}\r\n\r\n", site.head(ask), ask.body.size()));
    const auto refused = late.answer();
    REQUIRE(refused);
    CHECK(refused->interim == 0);
    CHECK(refused->code() == "RequestExpired");
}

TEST_CASE("e2e: who expects 100-continue with a forged head is refused at once, whoever it says that it is") {
    Site site;
    const auto refused = [&site](std::size_t length, const std::function<void(Ask&)>& forge) {
        Ask ask = verify_ask(site.order(), "LOGIN", "user-1");
        ask.body.resize(length, ' ');
        ask.fields = "Expect: 100-continue\r\n";
        forge(ask);
        Client client = site.connect();
        client.send(fmt::format("{}Content-Length: {}\r\n\r\n", site.head(ask), length));
        const auto answer = client.answer();
        REQUIRE(answer);
        CHECK(answer->interim == 0);
        CHECK(answer->status == 401);
        CHECK(answer->code() == "InvalidSignature");
        CHECK(answer->header("connection") == "close");
        client.send(ask.body);
        CHECK(client.until_closed(6s) == "");
        std::string text = answer->json().text("message");
        for (const auto& [name, value] : answer->headers)
            if (name != "x-request-id" && name != "date") text += name + value;
        return text;
    };
    const auto wrong = [](Ask& a) { a.secret = "wrong"; };
    const auto unknown = [](Ask& a) { a.secret_id = "nobody", a.secret = "x"; };
    const std::string first = refused(100, wrong);
    for (const std::size_t length : {100, 20'000}) {
        INFO(length);
        CHECK(refused(length, wrong) == first);
        CHECK(refused(length, unknown) == first);
    }
    CHECK(site.metric("holdfast_auth_failures_total{code=\"InvalidSignature\"}") == 5);
    CHECK(site.metric("holdfast_requests_total{code=\"InvalidSignature\",outcome=\"none\",scene=\"other\","
                      "source=\"none\"}") == 5);
    // A forged head takes nobody's nonce: the right one with the same is let in, and asked for its body.
    Ask right = verify_ask(site.order(), "LOGIN", "user-1", R"(,"device":")" + std::string(100, 'd') + "\"");
    right.body.resize(20'000, ' ');
    right.fields = "Expect: 100-continue\r\n";
    right.nonce = "nonce-of-both-0123456789";
    refused(100, [&right](Ask& a) { a.nonce = right.nonce, a.secret = "wrong"; });
    served_in_two(site, right);
    CHECK(site.centre_requests() == 1);
}
