// A call whose requests are signed: each try is made off the loop, and its bytes are accounted for, before it is sent.
#include <utility>

#include "upstream/call.h"
#include "upstream/upstream.h"

namespace holdfast {

// The request is signed off the loop, anew for every try.
void Call::prepare() {
    const Now now = upstream_.loop_.now();
    step_ = Step::preparing;
    arm(spec_.deadline - now.mono);
    preparing_ = upstream_.wire_->make(upstream_.endpoints_[endpoint_].pool->endpoint(),
                                       {spec_.body, std::string(spec_.request_id), now.wall, spec_.forward},
                                       [this](Result<AlipayWire::Made> made) { prepared(std::move(made)); });
    if (!preparing_) arm(Nanos{0});  // no place in line: told from the loop
}

void Call::prepared(Result<AlipayWire::Made> made) {
    if (!made) {
        spec_.permit.drop();
        last_ = AttemptResult{};
        last_.failure = FailureKind::caller_error;
        last_.error = std::move(made.error());
        return finish(CallStop::answered);
    }
    if (!take_room(made->body)) return no_place("no memory for a signed request");
    head_ = std::move(made->head);
    send_attempt(std::move(made->body));
}

// For the body and for what a connection copies of it when it cannot pass it on at once. What is passed on is there
// already.
bool Call::take_room(std::shared_ptr<const std::string>& body) {
    if (!spec_.room) return true;
    auto room = spec_.room(spec_.forward ? body->size() : 2 * body->size());
    if (!room) return false;
    struct Held {
        std::shared_ptr<const std::string> body;
        std::shared_ptr<const void> room;
    };
    const std::string* const text = body.get();
    body = {std::make_shared<const Held>(Held{std::move(body), std::move(room)}), text};  // owners: as of `body`
    return true;
}

}  // namespace holdfast
