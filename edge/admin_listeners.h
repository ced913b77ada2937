// The admin socket and the read-only listener of a node, each a Server of its own. They go before the node does, and
// may be opened again for the next one of the process.
#pragma once

#include <memory>

#include "edge/admin_service.h"
#include "edge/net/doors.h"
#include "edge/node.h"

namespace holdfast {

class AdminListeners {
  public:
    Result<void> open(Doors& doors, Node& node);
    void close();
    std::size_t connections() const { return (socket_ ? socket_->size() : 0) + (tcp_ ? tcp_->size() : 0); }

  private:
    std::unique_ptr<AdminService> full_, read_only_;
    std::unique_ptr<Server> socket_, tcp_;
};

}  // namespace holdfast
