// A blocking client for the end-to-end tests: it sends exactly the bytes that a test says, over TCP, TLS or a Unix
// socket, and reads answers with a limit of time. It has no manners of its own; not an HTTP client for anything else.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/json.h"
#include "edge/base/time.h"

namespace holdfast::e2e {

// A document that stays where its values point.
class Json {
  public:
    explicit Json(std::string_view text);
    explicit operator bool() const { return good_; }
    json::Value root() const { return document_->root(); }
    json::Value operator[](std::string_view key) const { return good_ ? root()[key] : json::Value(); }
    std::string text(std::string_view key) const { return std::string((*this)[key].text().value_or("")); }
    double number(std::string_view key) const { return (*this)[key].number().value_or(-1); }

  private:
    std::unique_ptr<json::Document> document_;
    bool good_ = false;
};

struct HttpAnswer {
    int status = 0;                                   // 0: none came
    std::multimap<std::string, std::string> headers;  // names in lower case
    std::string body;
    int interim = 0;                                    // 1xx answers before it
    std::string header(const std::string& name) const;  // of the first one; empty: none
    Json json() const { return Json(body); }
    std::string code() const { return json().text("code"); }
};
// Takes one whole answer off the front; nothing when it is not whole or no HTTP.
std::optional<HttpAnswer> take_answer(std::string& bytes);
// All answers that the bytes hold; nothing when something else is left over.
std::optional<std::vector<HttpAnswer>> all_answers(std::string bytes);

class Client {
  public:
    struct TlsTerms {
        std::string ca;
        int version = 0;  // TLS1_2_VERSION or another alone; 0: what OpenSSL offers
        std::vector<std::string> alpn{"http/1.1"};
    };
    static Client plain(int port);
    static Client unix_socket(const std::string& path);
    // Verifies 127.0.0.1 against the CA. Throws when there is no connection; `connected` is false without a handshake.
    static Client tls(int port, const TlsTerms& terms);
    ~Client();
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;

    bool connected() const { return state_ != nullptr; }
    bool send(std::string_view bytes, Nanos limit = 10s);  // false: the other side does not take them
    std::optional<HttpAnswer> answer(Nanos limit = 10s);   // the next one
    // What comes until the other side closes; nothing when it does not in time.
    std::optional<std::string> until_closed(Nanos limit = 10s);
    void finish_sending();                     // a half-close
    void shrink_receiving();                   // the kernel takes next to nothing that is not read
    bool was_reset() const { return reset_; }  // the end was a RST
    std::string alpn() const;

  private:
    struct State;
    explicit Client(std::unique_ptr<State> state);
    enum class Got { bytes, nothing, end };
    Got read_some(Nanos limit);
    std::unique_ptr<State> state_;
    std::string input_;
    bool reset_ = false;
};

}  // namespace holdfast::e2e
