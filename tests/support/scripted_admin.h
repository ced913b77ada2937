// A node's admin socket for tests of holdfastctl: a real Unix socket that answers each connection with the next line of
// a script, on a thread of its own, and keeps what was asked.
#pragma once

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "edge/base/check.h"

namespace holdfast::support {

class ScriptedAdmin {
  public:
    // Answers in order; the last one again and again. An empty answer closes without a word, "hang" says nothing.
    explicit ScriptedAdmin(std::vector<std::string> answers) : answers_(std::move(answers)) {
        std::string folder = (std::filesystem::temp_directory_path() / "holdfast-admin-XXXXXX").string();
        HF_CHECK(::mkdtemp(folder.data()) != nullptr);
        folder_ = folder;
        path_ = folder + "/admin.sock";
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
        HF_CHECK(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        HF_CHECK(::listen(listener_, 16) == 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~ScriptedAdmin() {
        stop_ = true;
        thread_.join();
        ::close(listener_);
        std::filesystem::remove_all(folder_);
    }
    ScriptedAdmin(const ScriptedAdmin&) = delete;
    ScriptedAdmin& operator=(const ScriptedAdmin&) = delete;

    const std::string& path() const { return path_; }
    std::vector<std::string> asked() {
        const std::lock_guard<std::mutex> guard(lock_);
        return asked_;
    }

    static std::string answer(int status, const std::string& body) {
        return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\nConnection: close\r\n\r\n" + body;
    }

  private:
    void serve() {
        std::size_t next = 0;
        while (!stop_) {
            pollfd one{listener_, POLLIN, 0};
            if (::poll(&one, 1, 20) <= 0) continue;
            const int fd = ::accept(listener_, nullptr, nullptr);
            if (fd < 0) continue;
            const std::string request = read_request(fd);
            {
                const std::lock_guard<std::mutex> guard(lock_);
                asked_.push_back(request);
            }
            const std::string& answer = answers_[std::min(next++, answers_.size() - 1)];
            if (answer == "hang") {
                while (!stop_) ::poll(nullptr, 0, 10);
            } else {
                std::size_t done = 0;
                while (done < answer.size()) {
                    const ssize_t n = ::send(fd, answer.data() + done, answer.size() - done, MSG_NOSIGNAL);
                    if (n <= 0) break;
                    done += static_cast<std::size_t>(n);
                }
            }
            ::close(fd);
        }
    }

    static std::string read_request(int fd) {
        std::string text;
        char buffer[4096];
        for (;;) {
            const auto head = text.find("\r\n\r\n");
            if (head != std::string::npos) {
                const auto at = text.find("Content-Length: ");
                const std::size_t body = at == std::string::npos ? 0 : std::stoul(text.substr(at + 16));
                if (text.size() >= head + 4 + body) return text;
            }
            const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
            if (n <= 0) return text;
            text.append(buffer, static_cast<std::size_t>(n));
        }
    }

    std::string folder_, path_;
    std::vector<std::string> answers_;
    int listener_ = -1;
    std::atomic<bool> stop_{false};
    std::mutex lock_;
    std::vector<std::string> asked_;
    std::thread thread_;
};

}  // namespace holdfast::support
