// The last things that happened to the node, for `status`: a transition, an order of an operator, a store that failed.
// Only for a glance: the journal is what counts, and it loses nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "edge/base/json.h"
#include "edge/base/time.h"

namespace holdfast {

class Events {
  public:
    static constexpr std::size_t kEventsMax = 20;
    void add(WallTime time, std::string_view kind, std::string text) {
        if (events_.size() == kEventsMax) events_.pop_front();
        events_.push_back({time, std::string(kind), std::move(text)});
    }
    void write(json::Writer& w) const {  // an array, the newest last
        w.begin_array();
        for (const Event& e : events_)
            w.begin_object().member("time", rfc3339(e.time)).member("kind", e.kind).member("text", e.text).end_object();
        w.end_array();
    }

  private:
    struct Event {
        WallTime time;
        std::string kind, text;
    };
    std::deque<Event> events_;
};

}  // namespace holdfast
