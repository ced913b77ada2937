// Who a node runs as, for what root looks at in its place: root can read every file, the node cannot. Only root can
// look in another's place.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace holdfast::ctl {

struct NodeUser {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;  // further ones
    std::string name;           // of the user; empty: it has none
};

// Of the running node `pid`; else, for a configuration below /etc/holdfast, the user that the package has made. Nothing
// where nobody is known, where it is root, and for everybody but root.
std::optional<NodeUser> node_user(long pid, const std::string& config_file);

// Whether `user` may read the file, its folders included. An absent file is nobody's to read. Nothing where this
// process may not look in another's place: root of a container without capabilities.
// Requires: root, on the only thread of the program.
std::optional<bool> can_read(const NodeUser& user, const std::string& path);

}  // namespace holdfast::ctl
