#include "edge/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "edge/base/journal_sink.h"

namespace holdfast::log {
namespace {

constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v";

// journald stamps lines itself, so standard error carries only the level and the sentence.
std::shared_ptr<spdlog::logger> make_stderr() {
    auto logger = std::make_shared<spdlog::logger>("ops", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_pattern("%l: %v");
    return logger;
}

struct State {
    std::shared_ptr<spdlog::logger> logger = make_stderr();  // spdlog's own handle type; owned here alone
    std::string path;
    std::unique_ptr<JournalSink> journal;  // instead of standard error
    Level level = Level::info;
};

State& state() {
    static State s;
    return s;
}

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warn:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

}  // namespace

void set_level(Level level) {
    state().level = level;
    state().logger->set_level(to_spdlog(level));
}

bool enabled(Level level) {
    return level >= state().level;
}

bool to_file(const std::string& path) {
    try {
        auto logger =
            std::make_shared<spdlog::logger>("ops", std::make_shared<spdlog::sinks::basic_file_sink_st>(path));
        logger->set_pattern(kPattern, spdlog::pattern_time_type::utc);
        logger->set_level(to_spdlog(state().level));
        logger->flush_on(spdlog::level::err);
        state().logger = std::move(logger);
        state().path = path;
        state().journal.reset();
        return true;
    } catch (const spdlog::spdlog_ex&) {  // the library's way of saying that the file cannot be opened
        return false;
    }
}

bool to_journal(const std::string& socket) {
    auto sink = JournalSink::open(socket);
    if (sink == nullptr) return false;
    state().journal = std::move(sink);
    return true;
}

void to_stderr() {
    state().journal.reset();
    state().path.clear();
    state().logger = make_stderr();
    state().logger->set_level(to_spdlog(state().level));
}

bool reopen() {
    if (state().path.empty() || to_file(state().path)) return true;
    state().logger = make_stderr();  // the file of before has another name by now, or none: nobody would look there
    state().logger->set_level(to_spdlog(state().level));
    return false;
}

void flush() {
    state().logger->flush();
}
void write(Level level, std::string_view line) {
    constexpr int kPriorities[] = {7, 6, 4, 3};  // of syslog, by Level
    if (state().journal != nullptr && state().journal->send(kPriorities[static_cast<int>(level)], line)) return;
    state().logger->log(to_spdlog(level), line);
}

std::string escape(std::string_view bytes, std::size_t max) {
    std::string out;
    for (char c : bytes.substr(0, max)) {
        const auto b = static_cast<unsigned char>(c);
        if (b >= 0x20 && b < 0x7f && c != '\\')
            out.push_back(c);
        else
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", b);
    }
    if (bytes.size() > max) out += "...";
    return out;
}

bool LogLimit::allow(MonoTime now) {
    if (now - window_ >= per_) {
        window_ = now;
        used_ = 0;
    }
    if (used_ < burst_) {
        ++used_;
        return true;
    }
    ++suppressed_;
    return false;
}

std::uint64_t LogLimit::take_suppressed() {
    const std::uint64_t n = suppressed_;
    suppressed_ = 0;
    return n;
}

}  // namespace holdfast::log
