#include "policy/verification.h"

namespace holdfast {

std::string_view name(Outcome o) {
    switch (o) {
        case Outcome::pass:
            return "pass";
        case Outcome::fail:
            return "fail";
        case Outcome::review:
            return "review";
        case Outcome::provisional:
            return "provisional";
    }
    return "review";
}

std::string_view name(Verdict v) {
    return name(to_outcome(v));
}

std::string_view name(Source s) {
    switch (s) {
        case Source::live:
            return "live";
        case Source::cache:
            return "cache";
        case Source::feature:
            return "feature";
        case Source::policy:
            return "policy";
    }
    return "policy";
}

std::optional<Verdict> parse_verdict(std::string_view text) {
    for (Verdict v : {Verdict::pass, Verdict::fail, Verdict::review})
        if (name(v) == text) return v;
    return std::nullopt;
}

}  // namespace holdfast
