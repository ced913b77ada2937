// How a node ends: draining, the operator's and the last one, and handing over to a successor.
#include <algorithm>

#include "edge/base/check.h"
#include "edge/base/log.h"
#include "edge/node.h"

namespace holdfast {

void Node::drain(const std::string& by, Durable done) {
    if (draining_) return done ? journal_drain("drain", by, std::move(done)) : void();
    draining_ = true;
    parts_->draining = true;
    server_->set_lame_duck(true);
    log::info("drain: begun");
    events_.add(seams_.loop.now().wall, "drain", "begun");
    journal_drain("drain", by, std::move(done));
    drain_timer_ = seams_.loop.after(config().drain.lame_duck, [this] { parts_->refusing = true; });
}

void Node::journal_drain(std::string_view action, const std::string& by, Durable done) {
    std::string fields;
    json::Writer(fields).begin_object().member("action", action).member("by", by).end_object();
    journal("drain", fields, std::move(done));
}

Result<void> Node::undrain(const std::string& by, Durable done) {
    if (finishing_) return fail(Code::exists, Origin::local, "the node is ending");
    if (!draining_) {
        if (done) journal_drain("undrain", by, std::move(done));
        return {};
    }
    draining_ = false;
    parts_->draining = false;
    parts_->refusing = false;
    server_->set_lame_duck(false);
    drain_timer_.reset();
    log::info("drain: ended");
    events_.add(seams_.loop.now().wall, "drain", "ended");
    journal_drain("undrain", by, std::move(done));
    return {};
}

void Node::shut_down(bool skip_lame_duck, std::function<void(Result<void>)> done) {
    if (std::exchange(handing_over_, false)) {
        if (syncing_) return;  // what is let go of is synced as it would be without this
        finishing_ = false;
        if (!server_->listens()) take_back();
    }
    if (finishing_) return hurry();
    drain("the end of the process");
    finishing_ = true;
    shut_down_done_ = std::move(done);
    const Nanos lame_duck =
        std::max(skip_lame_duck ? Nanos(0) : config().drain.lame_duck, taken_back_ ? kFirstAskMax : Nanos(0));
    const MonoTime joined_until = seams_.loop.now().mono + kLeaveMax;
    drain_timer_ = seams_.loop.after(lame_duck, [this, joined_until] { end_lame_duck(joined_until); });
}

void Node::take_back() {
    taken_back_ = true;
    if (server_->listens()) return;
    if (const auto listening = listen(); !listening) log::error("drain: {}", listening.error().detail);
}

void Node::end_lame_duck(MonoTime joined_until) {
    const bool joins = taken_back_ && membership_ != nullptr && !membership_->shared();
    if (joins && seams_.loop.now().mono < joined_until) return drain_timer_->restart(kHandOverLook);
    stop_listening();
}

void Node::stop_listening() {
    parts_->refusing = true;
    server_->stop_accepting();
    seams_.network.stop_listening();
    drain_timer_ = seams_.loop.after(config().drain.timeout, [this] { finish_shut_down(); });
    exchanges_->when_empty([this] {
        if (!syncing_ && drain_timer_) drain_timer_->restart(Nanos(0));
    });
}

void Node::hand_over(std::function<void(Result<void>)> done) {
    HF_CHECK(!finishing_);
    finishing_ = handing_over_ = true;
    reconciler_->stop();
    shut_down_done_ = std::move(done);
    log::info("upgrade: a new process is prepared; handing over");
    server_->set_lame_duck(true);
    hand_over_step_ = seams_.loop.now().mono;
    drain_timer_ = seams_.loop.after(Nanos(0), [this] { say_farewell(); });
}

// A connection that is kept alive ends after its next answer. Who asks now and then is told in time; closing it unasked
// could cross a request under way.
void Node::say_farewell() {
    const MonoTime now = seams_.loop.now().mono;
    if (server_->idle_since(hand_over_step_) > 0 && now - hand_over_step_ < kFarewellMax)
        return drain_timer_->restart(kHandOverLook);
    server_->hand_over();
    hand_over_step_ = now;
    drain_timer_ = seams_.loop.after(Nanos(0), [this] { give_last_answers(); });
}

void Node::give_last_answers() {
    const Nanos waited = seams_.loop.now().mono - hand_over_step_;
    const bool owed = exchanges_->size() > 0 || server_->owes_answers(waited < kFirstAskMax);
    if (owed && waited < config().drain.timeout) return drain_timer_->restart(kHandOverLook);
    finish_shut_down();
}

// Asked a second time to end: nothing is waited for any more but what the disk takes soon.
void Node::hurry() {
    if (!shut_down_done_ || hurried_) return;
    hurried_ = true;
    log::warn("drain: hurried");
    if (syncing_)
        drain_timer_->restart(kHurriedSyncMax);
    else
        finish_shut_down();
}

void Node::finish_shut_down() {
    if (!shut_down_done_ || syncing_) return;
    syncing_ = true;
    reconciler_->stop();
    parts_->refusing = true;
    server_->stop_accepting();
    server_->cut();  // what comes now could not be recorded any more: nobody is answered
    journal("stop", fmt::format("{{\"inFlight\":{}}}", exchanges_->size()));
    save_circuit();
    drain_timer_ = seams_.loop.after(hurried_ ? kHurriedSyncMax : kSyncMax, [this] {
        storage_->abandon();
        shut_down_over(fail(Code::timeout, Origin::store, "the disk did not take what was left in time"));
    });
    leave_fleet();
    storage_->drain([this](Result<void> synced) { synced_over(std::move(synced)); });
}

void Node::shut_down_over(Result<void> synced) {
    if (!shut_down_done_) return;
    drain_timer_->stop();
    if (!synced) log::error("drain: the storage could not be synced: {}", synced.error().detail);
    const auto done = std::exchange(shut_down_done_, nullptr);
    done(std::move(synced));
}

}  // namespace holdfast
