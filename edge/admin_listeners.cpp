#include "edge/admin_listeners.h"

#include <grp.h>
#include <unistd.h>

#include "edge/base/log.h"
#include "edge/descriptors.h"

namespace holdfast {
namespace {

// 0660 root:holdfast-admin; where that group is missing the socket keeps the process's own.
void give_to_group(const AdminConfig& admin) {
    const group* g = admin.group.empty() ? nullptr : ::getgrnam(admin.group.c_str());
    if (g == nullptr) return;
    if (::chown(admin.socket.c_str(), static_cast<uid_t>(-1), g->gr_gid) != 0)
        log::warn("admin: {} could not be given to group {}", admin.socket, admin.group);
}

}  // namespace

// The servers first: what they abandon belongs to the services.
void AdminListeners::close() {
    socket_.reset();
    tcp_.reset();
    full_.reset();
    read_only_.reset();
}

Result<void> AdminListeners::open(Doors& doors, Node& node) {
    const AdminConfig& admin = node.config().admin;
    ServerOptions options;
    options.connections_max = kAdminConnectionsMax;
    options.shed_reserve = kAdminShedReserve;
    options.request_limits.body_bytes = admin::kRequestBytesMax;
    const auto note = [&node](const Server::Rejected& rejected) { node.note_reject(rejected); };
    if (!admin.socket.empty()) {
        full_ = std::make_unique<AdminService>(node, AdminService::Access::full);
        socket_ = std::make_unique<Server>(node.loop(), *full_, options, Server::Wrap(), note);
        const bool inherited = doors.address(kDoorAdmin).has_value();
        auto listener =
            doors.unix_socket(kDoorAdmin, admin.socket, 0660, [this](auto s) { socket_->accept(std::move(s)); });
        if (!listener) return fail(listener.error().code, Origin::local, "admin.socket: " + listener.error().detail);
        if (!inherited) give_to_group(admin);
        socket_->adopt(std::move(*listener));
    }
    if (!admin.listen.empty()) {
        read_only_ = std::make_unique<AdminService>(node, AdminService::Access::read_only);
        tcp_ = std::make_unique<Server>(node.loop(), *read_only_, options, Server::Wrap(), note);
        auto listener = doors.tcp(kDoorMetrics, admin.listen, [this](auto s) { tcp_->accept(std::move(s)); });
        if (!listener) return fail(listener.error().code, Origin::local, "admin.listen: " + listener.error().detail);
        tcp_->adopt(std::move(*listener));
    }
    return {};
}

}  // namespace holdfast
