// Sites that are nodes of one fleet over a real etcd, and what they say of it. A member has a lease of three seconds,
// so that a test sees it end.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/support/e2e_site.h"

namespace holdfast::e2e {

inline Terms member(const std::string& name, const std::vector<std::string>& urls, const std::string& more = {}) {
    Terms terms;
    terms.tls = false;
    terms.name = name;
    std::string list;
    for (const std::string& url : urls) list += (list.empty() ? "\"" : ", \"") + url + "\"";
    terms.more = fmt::format("[coordination]\nkind = \"etcd\"\nendpoints = [{}]\nlease_ttl = \"3s\"\n{}", list, more);
    return terms;
}

inline std::string lease(const Site& site) {
    return std::string(site.admin_get("/v1/status")["lease"]["state"].text().value_or(""));
}
inline bool leased(const Site& site, Nanos limit = 20s) {
    return eventually(limit, [&site] { return lease(site) == "leased"; });
}
inline bool autonomous(const Site& site, Nanos limit) {
    return eventually(limit, [&site] { return lease(site) == "autonomous"; });
}
inline double live(const Site& site) {
    return site.admin_get("/v1/status")["lease"]["live"].number().value_or(0);
}
inline bool serves_live(Site& site) {
    return site.ask(verify_ask(site.order(), "PAYMENT", "somebody")).json().text("source") == "live";
}
inline bool holds(const std::string& text, const std::string& what) {
    return text.find(what) != std::string::npos;
}
inline std::size_t count(const std::string& text, const std::string& what) {
    std::size_t n = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
    return n;
}

}  // namespace holdfast::e2e
