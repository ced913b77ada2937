// The connections that wait for a next request, who waits for longest first: a place at a cap is made by looking at the
// front, whatever the number of connections. Each carries its own link, so that nothing here needs memory.
#pragma once

namespace holdfast {

class IdleLine {
  public:
    struct Link {
        Link() = default;
        Link(const Link&) = delete;
        Link& operator=(const Link&) = delete;
        ~Link() { leave(); }
        // Nothing where it is in no line.
        void leave() {
            if (before == nullptr) return;
            before->after = after;
            after->before = before;
            before = after = nullptr;
        }
        Link *before = nullptr, *after = nullptr;
    };

    IdleLine() { ends_.before = ends_.after = &ends_; }

    // At the end, wherever it was.
    void join(Link& link) {
        link.leave();
        link.before = ends_.before;
        link.after = &ends_;
        ends_.before->after = &link;
        ends_.before = &link;
    }
    Link* first() const { return ends_.after == &ends_ ? nullptr : ends_.after; }

  private:
    Link ends_;  // its links lead to itself while nobody waits
};

}  // namespace holdfast
