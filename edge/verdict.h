// How a node is, in one line: the first thing that `status`, `top`, /ui and doctor show. It names everything that keeps
// requests from being answered as they are when all is well, each with its reason, and holds no words of an operator
// or of a configuration: it goes into support bundles as it is.
#pragma once

#include <string>
#include <string_view>

namespace holdfast {

class Node;

struct NodeVerdict {
    std::string_view word;  // ok, degraded, impaired, draining
    std::string summary;
};

NodeVerdict verdict_of(Node& node);

}  // namespace holdfast
